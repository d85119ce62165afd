/** Result codes of SQLite. */
const busy = 5;
const notADatabase = 26;

export type ProcessLock = { release(): void };

/** Why there is no lock, and what to do. */
export class LockProblem extends Error {}

/** Locks end with their last reference: without, a resource that is not referenced any more would lose its lock. */
const held = new Set<ProcessLock>();

function resultCodeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'errcode' in error
    ? error.errcode
    : undefined;
}

/**
 * A lock that the system takes back when its process ends, however it ends: the write lock of an SQLite database without
 * content. A number in a file would not do, since containers share numbers of processes and systems use them again. The
 * database's `user_version` is the number of the holder, for messages.
 * @throws LockProblem when another process has it, or when it cannot be made
 */
export function lockForProcess(path: string, resource: string): ProcessLock {
  // Loaded on use: it prints a warning in versions of Node in which it is experimental.
  const sqlite = process.getBuiltinModule('node:sqlite');
  if (sqlite === undefined) {
    throw new LockProblem(`${resource} needs node:sqlite for its lock, which this runtime lacks`);
  }
  let database: InstanceType<typeof sqlite.DatabaseSync> | undefined;
  try {
    database = new sqlite.DatabaseSync(path);
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN IMMEDIATE');
    database.exec(`PRAGMA user_version = ${process.pid}; COMMIT; BEGIN IMMEDIATE`);
  } catch (error) {
    const code = resultCodeOf(error);
    const holder =
      code === busy ? database?.prepare('PRAGMA user_version').get()?.user_version : undefined;
    database?.close();
    throw new LockProblem(lockProblem(path, resource, code, holder), { cause: error });
  }
  const locked = database;
  const lock: ProcessLock = {
    release() {
      held.delete(lock);
      locked.close();
    },
  };
  held.add(lock);
  return lock;
}

function lockProblem(path: string, resource: string, code: unknown, holder: unknown): string {
  if (code === busy && holder === process.pid) {
    return `${resource} is open in this process already (lock ${path}); use that one for all routers, or close it first`;
  }
  if (code === busy) {
    return `${resource} is in use by process ${String(holder)} (lock ${path}); end that process, or use another path: it belongs to one process`;
  }
  if (code === notADatabase) {
    return `the lock ${path} is damaged; delete it, which loses nothing`;
  }
  return `cannot make the lock ${path}; check that its directory can be written to and has space`;
}
