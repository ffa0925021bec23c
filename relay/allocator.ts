/**
 * glibc's own settings (mallopt(3)) for relay and endpoint: two arenas instead of eight for each
 * core, and thresholds that do not grow with what was once freed. Without them a storm of logins
 * leaves tens of megabytes that are free but never given back.
 */
export const ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' } as const
