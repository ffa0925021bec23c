/*
 * A disk that can lose power and fail, for one process (LD_PRELOAD). What the process does to the
 * files in SOTTO_DISK_DIR is done, and written down in order in SOTTO_DISK_LOG; test/support/disk.ts
 * makes from any beginning of that list what a power loss at that moment may leave: everything up
 * to a file's last sync, and any part of what came after. Real syncs are left out.
 *
 * SOTTO_DISK_CONTROL is a file of int32 that the test may change at any time:
 *   [0] errno for writes, 0 for none   [1] writes that still succeed before that
 *   [2] errno for syncs                [3] syncs that still succeed before that
 *   [4] errno for opening files to write
 *   [5] 1: syncs fail of sotto.db alone, as when its write-ahead log is written into it
 * A failed sync loses what it should have synced, and the next one says that all is well, as Linux
 * does.
 *
 * record = u8 kind | u16 name length | name | u64 offset | u32 length | data, in this machine's order
 * kinds: c created, w written, t cut to offset, s synced, f sync failed, u deleted, d directory synced
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char dir[4096];
static size_t dir_length;
static int log_fd = -1;
static volatile int32_t *control;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_unlink)(const char *);

static void start(void) {
  real_open = dlsym(RTLD_NEXT, "open");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  const char *path = getenv("SOTTO_DISK_DIR");
  if (path == NULL || realpath(path, dir) == NULL) return;
  dir_length = strlen(dir);
  const char *log = getenv("SOTTO_DISK_LOG");
  if (log != NULL) log_fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const char *file = getenv("SOTTO_DISK_CONTROL");
  int fd = file == NULL ? -1 : real_open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *map = mmap(NULL, 6 * sizeof(int32_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) control = map;
  close(fd);
}

/* The name within the directory, "" for the directory itself, NULL for all that is not in it. */
static const char *name_in_dir(const char *path) {
  pthread_once(&once, start);
  if (dir_length == 0 || strncmp(path, dir, dir_length) != 0) return NULL;
  if (path[dir_length] == 0) return "";
  return path[dir_length] == '/' ? path + dir_length + 1 : NULL;
}

static const char *name_of(int fd, char *buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, buffer, size - 1);
  if (length < 0) return NULL;
  buffer[length] = 0;
  return name_in_dir(buffer);
}

/* Written at once, so that a killed process leaves at most one record incomplete. */
static void record(char kind, const char *name, uint64_t offset, const void *data, uint32_t length) {
  if (log_fd < 0) return;
  uint16_t name_length = strlen(name);
  size_t size = 1 + 2 + name_length + 8 + 4 + length;
  char *all = malloc(size), *at = all;
  *at++ = kind;
  memcpy(at, &name_length, 2), at += 2;
  memcpy(at, name, name_length), at += name_length;
  memcpy(at, &offset, 8), at += 8;
  memcpy(at, &length, 4), at += 4;
  if (length > 0) memcpy(at, data, length);
  int saved = errno;
  if (real_write(log_fd, all, size) != (ssize_t)size) abort();
  errno = saved;
  free(all);
}

/* Whether the operation with its error at this place of the control file is to fail now. */
static int fails(int place) {
  if (control == NULL || control[place] == 0) return 0;
  if (control[place + 1] > 0) {
    control[place + 1]--;
    return 0;
  }
  errno = control[place];
  return 1;
}

static int open_file(const char *path, int flags, mode_t mode) {
  pthread_once(&once, start);
  char full[4096 + 256] = "";
  const char *name = NULL;
  if (path[0] == '/') name = name_in_dir(path);
  else if (getcwd(full, 4096) != NULL) {
    strncat(full, "/", 2), strncat(full, path, 255);
    name = name_in_dir(full);
  }
  int writes = (flags & O_ACCMODE) != O_RDONLY;
  if (name == NULL || *name == 0 || !writes) return real_open(path, flags, mode);
  if (control != NULL && control[4] != 0) {
    errno = control[4];
    return -1;
  }
  pthread_mutex_lock(&lock);
  int there = access(path, F_OK) == 0;
  int fd = real_open(path, flags, mode);
  if (fd >= 0 && !there) record('c', name, 0, NULL, 0);
  if (fd >= 0 && there && (flags & O_TRUNC)) record('t', name, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_file(path, flags, mode);
}

static ssize_t write_file(int fd, const void *data, size_t length, off_t offset, int placed) {
  pthread_once(&once, start);
  char path[4096];
  const char *name = fd == log_fd ? NULL : name_of(fd, path, sizeof path);
  if (name == NULL) return placed ? real_pwrite(fd, data, length, offset) : real_write(fd, data, length);
  pthread_mutex_lock(&lock);
  ssize_t done = -1;
  if (!fails(0)) {
    if (!placed) {
      int append = fcntl(fd, F_GETFL) & O_APPEND;
      offset = lseek(fd, 0, append ? SEEK_END : SEEK_CUR);
    }
    done = placed ? real_pwrite(fd, data, length, offset) : real_write(fd, data, length);
    if (done > 0) record('w', name, offset, data, done);
  }
  pthread_mutex_unlock(&lock);
  return done;
}

ssize_t write(int fd, const void *data, size_t length) { return write_file(fd, data, length, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  return write_file(fd, data, length, offset, 1);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
  return write_file(fd, data, length, offset, 1);
}

static int cut(int fd, off_t length) {
  pthread_once(&once, start);
  char path[4096];
  const char *name = name_of(fd, path, sizeof path);
  if (name == NULL) return real_ftruncate(fd, length);
  pthread_mutex_lock(&lock);
  int done = fails(0) ? -1 : real_ftruncate(fd, length);
  if (done == 0) record('t', name, length, NULL, 0);
  pthread_mutex_unlock(&lock);
  return done;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off_t length) { return cut(fd, length); }

static int sync_file(int fd) {
  pthread_once(&once, start);
  char path[4096];
  const char *name = name_of(fd, path, sizeof path);
  if (name == NULL) return real_fsync(fd);
  pthread_mutex_lock(&lock);
  int spared = control != NULL && control[5] != 0 && strcmp(name, "sotto.db") != 0;
  int done = !spared && fails(2) ? -1 : 0;
  if (*name == 0) {
    if (done == 0) record('d', name, 0, NULL, 0);
  } else record(done == 0 ? 's' : 'f', name, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return done;
}

int fsync(int fd) { return sync_file(fd); }
int fdatasync(int fd) { return sync_file(fd); }

int unlink(const char *path) {
  pthread_once(&once, start);
  const char *name = name_in_dir(path);
  if (name == NULL) return real_unlink(path);
  pthread_mutex_lock(&lock);
  int done = real_unlink(path);
  if (done == 0) record('u', name, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return done;
}
