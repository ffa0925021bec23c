import type { Value } from './row_sum.ts'

/** "Soto" in ASCII: a SQLite file that is not ours is never touched. */
export const APPLICATION_ID = 0x536f746f

/** Goes up with every change of the tables; a newer one than this is refused. */
export const SCHEMA_VERSION = 1

/**
 * The tables and their columns in order. Every table has an integer `id` as its key and ends with
 * `sum`, the CRC-32 of the other columns ({@link rowSum}), which is not listed here.
 */
export const TABLES = {
  /** One row. `commits` counts the transactions, `clock` is the store's time at the last one. */
  store: ['id', 'store_id', 'restored', 'commits', 'clock'],
  account: ['id', 'skeleton', 'user', 'spki', 'salt', 'hash', 'cost', 'disabled', 'created_at'],
  device: ['id', 'account', 'device', 'last_seen', 'revoked'],
  /**
   * `first` and `second` are a private room's accounts, null after leaving. `base` is the chain
   * before the `oldest` entry that is kept; `seq` and `chain` are those of the last one.
   */
  room: [
    'id',
    'room',
    'kind',
    'first',
    'second',
    'seq',
    'chain',
    'oldest',
    'base',
    'bytes',
    'generation',
    'epoch',
  ],
  /** By the room's id. Apart from `room`, since it is large and that row is written often. */
  group_info: ['id', 'info'],
  group_device: ['id', 'room', 'device'],
  /** `sender` is a row of `device`, so a message id is scoped by person and device. */
  entry: ['id', 'room', 'seq', 'chain', 'sender', 'msg_id', 'generation', 'epoch', 'at', 'mls'],
  key_package: ['id', 'device', 'package', 'last_resort'],
  welcome: ['id', 'room', 'generation', 'seq', 'chain', 'mls'],
  welcome_for: ['id', 'welcome', 'device'],
} as const satisfies Record<string, readonly ['id', ...string[]]>

export type Table = keyof typeof TABLES

/** A row of a table: its columns by name, `sum` left out. */
export type Row = Record<string, Value>

export const SCHEMA = `
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};

CREATE TABLE store (
  id INTEGER PRIMARY KEY, store_id BLOB NOT NULL, restored INTEGER NOT NULL,
  commits INTEGER NOT NULL, clock INTEGER NOT NULL, sum INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
  id INTEGER PRIMARY KEY, skeleton TEXT NOT NULL UNIQUE, user TEXT NOT NULL, spki BLOB NOT NULL,
  salt BLOB, hash BLOB, cost INTEGER, disabled INTEGER NOT NULL, created_at INTEGER NOT NULL,
  sum INTEGER NOT NULL
) STRICT;

CREATE TABLE device (
  id INTEGER PRIMARY KEY, account INTEGER NOT NULL, device BLOB NOT NULL,
  last_seen INTEGER NOT NULL, revoked INTEGER NOT NULL, sum INTEGER NOT NULL,
  UNIQUE (account, device)
) STRICT;

CREATE TABLE room (
  id INTEGER PRIMARY KEY, room BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, first INTEGER,
  second INTEGER, seq INTEGER NOT NULL, chain BLOB NOT NULL, oldest INTEGER NOT NULL,
  base BLOB NOT NULL, bytes INTEGER NOT NULL, generation INTEGER, epoch INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  UNIQUE (first, second)
) STRICT;
CREATE INDEX room_second ON room (second);

CREATE TABLE group_info (
  id INTEGER PRIMARY KEY, info BLOB NOT NULL, sum INTEGER NOT NULL
) STRICT;

CREATE TABLE group_device (
  id INTEGER PRIMARY KEY, room INTEGER NOT NULL, device INTEGER NOT NULL, sum INTEGER NOT NULL,
  UNIQUE (room, device)
) STRICT;

CREATE TABLE entry (
  id INTEGER PRIMARY KEY, room INTEGER NOT NULL, seq INTEGER NOT NULL, chain BLOB NOT NULL,
  sender INTEGER NOT NULL, msg_id BLOB NOT NULL, generation INTEGER NOT NULL,
  epoch INTEGER NOT NULL, at INTEGER NOT NULL, mls BLOB NOT NULL, sum INTEGER NOT NULL,
  UNIQUE (room, seq),
  UNIQUE (room, sender, msg_id)
) STRICT;

CREATE TABLE key_package (
  id INTEGER PRIMARY KEY, device INTEGER NOT NULL, package BLOB NOT NULL,
  last_resort INTEGER NOT NULL, sum INTEGER NOT NULL
) STRICT;
CREATE INDEX key_package_device ON key_package (device);

CREATE TABLE welcome (
  id INTEGER PRIMARY KEY AUTOINCREMENT, room INTEGER NOT NULL, generation INTEGER NOT NULL,
  seq INTEGER NOT NULL, chain BLOB NOT NULL, mls BLOB NOT NULL, sum INTEGER NOT NULL
) STRICT;
CREATE INDEX welcome_room ON welcome (room);

CREATE TABLE welcome_for (
  id INTEGER PRIMARY KEY, welcome INTEGER NOT NULL, device INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  UNIQUE (device, welcome)
) STRICT;
CREATE INDEX welcome_for_welcome ON welcome_for (welcome);
`
