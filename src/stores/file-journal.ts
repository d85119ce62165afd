import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { SignalboxError } from '../errors.ts';
import { fileProblemOf, realPath, writeAt } from '../internal/local-file.ts';
import type { Change, Journal } from '../internal/memory-store.ts';
import { LockProblem, lockForProcess, type ProcessLock } from '../internal/process-lock.ts';
import { changeLine, completeLine, header, LogDamage, NewerLog, readLog } from './log-format.ts';

/** Where the changes come from when the file is written again, and go to when it is read. */
interface Source {
  restore(change: Change): void;
  changes(now: number): Iterable<Change>;
}

/** Only for the owner: keys and facts may name users. */
const fileMode = 0o600;

/** Lines are written together up to this size in bytes. */
const chunkBytes = 1 << 20;

/**
 * A file of changes, each on a line that is written when the change is made. When it has grown by `growthBytes` and by
 * as much as was needed at first, it is replaced by one with the fewest changes.
 */
export class FileJournal implements Journal {
  readonly #path: string;
  readonly #growthBytes: number;
  readonly #lock: ProcessLock;
  #file: number | undefined;
  #source: Source | undefined;
  #length = 0;
  #checksum = 0;
  #compactAt = 0;
  #lastNow = 0;

  /** @throws SignalboxError `config` when the file is in use or its directory cannot be used */
  constructor(path: string, growthBytes: number) {
    this.#path = attempt(path, 'open', () => realPath(path));
    this.#growthBytes = growthBytes;
    this.#lock = attempt(path, 'lock', () => lockForProcess(`${this.#path}.lock`, this.#path));
  }

  /**
   * Reads the file into the source, or makes it.
   * @throws SignalboxError `config` when it cannot be read, is damaged, or was written by a newer version
   */
  open(source: Source): void {
    this.#source = source;
    try {
      if (existsSync(this.#path)) this.#read(source);
      else attempt(this.#path, 'create', () => this.#rewrite([]));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  write(change: Change): void {
    if ('now' in change) this.#lastNow = change.now;
    if (this.#length >= this.#compactAt) this.#compact();
    const { bytes, checksum } = changeLine(change, this.#checksum);
    attempt(this.#path, 'write', () => writeAt(this.#open(), bytes, this.#length));
    this.#length += bytes.length;
    this.#checksum = checksum;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#lock.release();
  }

  #open(): number {
    this.#file ??= openSync(this.#path, 'r+');
    return this.#file;
  }

  #read(source: Source): void {
    const bytes = attempt(this.#path, 'read', () => readFileSync(this.#open()));
    try {
      const { length, checksum } = readLog(bytes, (change) => {
        if ('now' in change) this.#lastNow = change.now;
        source.restore(change);
      });
      this.#length = length;
      this.#checksum = checksum;
    } catch (error) {
      throw readError(this.#path, error);
    }
    if (this.#length < bytes.length) {
      attempt(this.#path, 'write', () => ftruncateSync(this.#open(), this.#length));
    }
    this.#compactAt = this.#growthBytes;
  }

  /** Replaces the file by the fewest changes. It is kept as it is when there is no space for that. */
  #compact(): void {
    const changes = this.#source?.changes(this.#lastNow) ?? [];
    try {
      this.#rewrite(changes);
    } catch {
      this.#compactAt = this.#length + this.#growthBytes;
    }
  }

  #rewrite(changes: Iterable<Change>): void {
    const next = `${this.#path}.next`;
    const file = openSync(next, 'w+', fileMode);
    try {
      const { length, checksum } = writeAll(file, changes);
      // Without, a power failure could leave an empty file under the name.
      fsyncSync(file);
      renameSync(next, this.#path);
      if (this.#file !== undefined) closeSync(this.#file);
      this.#file = file;
      this.#length = length;
      this.#checksum = checksum;
      this.#compactAt = length + Math.max(length, this.#growthBytes);
    } catch (error) {
      closeSync(file);
      rmSync(next, { force: true });
      throw error;
    }
  }
}

/** Writes a whole file. */
function writeAll(
  file: number,
  changes: Iterable<Change>,
): { readonly length: number; readonly checksum: number } {
  let length = 0;
  let checksum = 0;
  let pending: Buffer[] = [header];
  let pendingBytes = header.length;
  const flush = (): void => {
    writeAt(file, Buffer.concat(pending), length);
    length += pendingBytes;
    pending = [];
    pendingBytes = 0;
  };
  const add = (line: ReturnType<typeof changeLine>): void => {
    pending.push(line.bytes);
    pendingBytes += line.bytes.length;
    checksum = line.checksum;
    if (pendingBytes >= chunkBytes) flush();
  };
  for (const change of changes) add(changeLine(change, checksum));
  add(completeLine(checksum));
  flush();
  return { length, checksum };
}

function attempt<Value>(path: string, what: string, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    const problem = error instanceof LockProblem ? error.message : fileProblemOf(what, path, error);
    throw new SignalboxError('config', `fileStore: ${problem}`, { cause: error });
  }
}

function readError(path: string, error: unknown): unknown {
  if (error instanceof NewerLog) {
    const remedy = 'update signalbox, or use another path';
    return new SignalboxError('config', `fileStore: ${path} ${error.message}; ${remedy}`);
  }
  if (!(error instanceof LogDamage)) return error;
  const { message, intactLength, cause } = error;
  const remedy =
    intactLength === undefined
      ? 'or move it away to start from zero'
      : `or keep what is before: truncate -s ${intactLength} '${path}'`;
  const text = `fileStore: ${path} ${message}; restore it from a backup, ${remedy}`;
  return new SignalboxError('config', text, { cause });
}
