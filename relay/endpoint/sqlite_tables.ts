import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { SottoError } from '../../web/protocol/errors.ts'
import { rowSum, type Value } from './row_sum.ts'
import { type Row, TABLES, type Table } from './sqlite_schema.ts'

/** What a query takes beside texts and numbers. */
export type Parameter = number | string | Uint8Array | null

/** Statements are prepared once per connection and text. */
export class Statements {
  readonly #db: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  of(sql: string): StatementSync {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }
}

/** The values of a row in the order of its table's columns. */
export function valuesOf(table: Table, row: Row): Value[] {
  return TABLES[table].map((column) => row[column] ?? null)
}

export function soundRow(table: Table, row: Row): boolean {
  return row.sum === rowSum(valuesOf(table, row))
}

/**
 * Empty bytes that came from another thread have no memory behind them, and node:sqlite takes
 * those for NULL.
 */
function bindable(value: Value): Value {
  return value instanceof Uint8Array && value.length === 0 ? SOME.subarray(0, 0) : value
}

const SOME = new Uint8Array(1)

/** Rows as tables of summed rows: what is read is checked, what is written gets its sum. */
export class Tables {
  readonly #statements: Statements
  /** The last id of each table that this connection has added to. */
  readonly #lastIds = new Map<Table, number>()

  constructor(db: DatabaseSync) {
    this.#statements = new Statements(db)
  }

  /**
   * Rows of `table` by what follows its name in SQL (`WHERE …`). Throws SottoError `unavailable`
   * when one of them is damaged.
   */
  all(table: Table, rest: string, ...parameters: Parameter[]): Row[] {
    const rows = this.#statements.of(`SELECT * FROM ${table} ${rest}`).all(...parameters) as Row[]
    for (const row of rows) if (!soundRow(table, row)) throw damagedRow(table, row)
    return rows
  }

  one(table: Table, rest: string, ...parameters: Parameter[]): Row | undefined {
    const row = this.#statements.of(`SELECT * FROM ${table} ${rest}`).get(...parameters) as
      | Row
      | undefined
    if (row !== undefined && !soundRow(table, row)) throw damagedRow(table, row)
    return row
  }

  /** Any other query; nothing of it is checked. */
  query(sql: string, ...parameters: Parameter[]): Row[] {
    return this.#statements.of(sql).all(...parameters) as Row[]
  }

  /** Adds a row and returns its id: the next one when `row.id` is null. */
  add(table: Table, row: Row): number {
    const columns = TABLES[table]
    const id = row.id ?? this.#nextId(table)
    const values = valuesOf(table, { ...row, id })
    this.#statements
      .of(`INSERT INTO ${table} VALUES (${'?, '.repeat(columns.length)}?)`)
      .run(...values.map(bindable), rowSum(values))
    return id as number
  }

  /** Writes the whole row again. */
  update(table: Table, row: Row): void {
    const [, ...columns] = TABLES[table]
    const [id, ...values] = valuesOf(table, row) as [Value, ...Value[]]
    const sets = columns.map((column) => `${column} = ?`).join(', ')
    this.#statements
      .of(`UPDATE ${table} SET ${sets}, sum = ? WHERE id = ?`)
      .run(...values.map(bindable), rowSum([id, ...values]), id)
  }

  delete(table: Table, rest: string, ...parameters: Parameter[]): number {
    const done = this.#statements.of(`DELETE FROM ${table} ${rest}`).run(...parameters)
    return Number(done.changes)
  }

  #nextId(table: Table): number {
    const id = (this.#lastIds.get(table) ?? this.#lastId(table)) + 1
    this.#lastIds.set(table, id)
    return id
  }

  #lastId(table: Table): number {
    // A deleted Welcome's number is never given out again, since devices name Welcomes by it.
    const source = table === 'welcome' ? `sqlite_sequence WHERE name = 'welcome'` : table
    const column = table === 'welcome' ? 'seq' : 'id'
    const last = this.#statements.of(`SELECT max(${column}) AS last FROM ${source}`).get() as Row
    return (last.last as number | null) ?? 0
  }
}

function damagedRow(table: Table, row: Row): SottoError {
  return new SottoError(
    'unavailable',
    `A record on the endpoint's disk is damaged (${table} ${row.id}). Its administrator can bring it back with "sotto restore".`,
  )
}
