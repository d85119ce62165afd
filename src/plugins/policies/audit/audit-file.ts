import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SignalboxError } from '../../../errors.ts';
import { fileProblemOf, realPath, writeAt } from '../../../internal/local-file.ts';
import { LockProblem, lockForProcess, type ProcessLock } from '../../../internal/process-lock.ts';
import {
  type AuditChain,
  type AuditRecord,
  emptyHead,
  fileStart,
  type Head,
  headerOf,
} from './audit-chain.ts';

/** Where the lines of a log go. */
export interface AuditSink {
  readonly head: Head;
  /** Makes it ready for lines. Does nothing when it is. */
  open(): void;
  /** Resolves when the line is written. When it rejects, the log is as before. */
  append(record: AuditRecord): Promise<void>;
  close(): Promise<void>;
}

export type AuditFileOptions = {
  readonly path: string;
  readonly maxFileBytes: number;
  /** Whether each line waits until the disk has it. */
  readonly fsync: boolean;
  readonly timestamp: () => string;
  /** Called when a file is full. */
  readonly onRotate: () => void;
};

/** Only for the owner: tags may name users. */
const fileMode = 0o600;

const newline = 10;
const readBytes = 1 << 16;

/** Digits of the number of the first line, in the name of a full file. */
const numberLength = 12;

const syncData = promisify(fdatasync);

function ignore(): void {}

/** A file that is written by one process, and renamed when it is full. */
export class AuditFile implements AuditSink {
  readonly #options: AuditFileOptions;
  readonly #chain: AuditChain;
  head = emptyHead;
  #path: string;
  #lock: ProcessLock | undefined;
  #file: number | undefined;
  /** The number of the first line of the file. */
  #first = 1;
  #length = 0;
  /** Whether something follows that a failed write left. */
  #isTorn = false;
  #syncing: Promise<void> | undefined;
  #nextSync: Promise<void> | undefined;

  constructor(chain: AuditChain, options: AuditFileOptions) {
    this.#chain = chain;
    this.#options = options;
    this.#path = options.path;
  }

  /** @throws SignalboxError `config` when another process has the file, or it is not a log with this key */
  open(): void {
    if (this.#lock !== undefined) return;
    this.#path = attempt('open', this.#path, () => realPath(this.#options.path));
    const lock = attempt('lock', this.#path, () =>
      lockForProcess(`${this.#path}.lock`, this.#path),
    );
    try {
      if (existsSync(this.#path)) this.#continueFile();
      if (this.#file === undefined) {
        const latest = this.#latestFull();
        this.head = latest === undefined ? emptyHead : this.#headOf(latest);
        attempt('create', this.#path, () => this.#create());
      }
      this.#lock = lock;
    } catch (error) {
      this.#closeFile();
      lock.release();
      throw error;
    }
  }

  async append(record: AuditRecord): Promise<void> {
    this.open();
    attempt('write', this.#path, () => this.#write(record));
    if (this.#options.fsync) await this.#synced();
  }

  async close(): Promise<void> {
    await this.#nextSync?.catch(ignore);
    await this.#syncing?.catch(ignore);
    this.#closeFile();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #write(record: AuditRecord): void {
    let line = this.#chain.line(record, this.head);
    const isFull = this.#length + line.bytes.length > this.#options.maxFileBytes;
    if (isFull && this.head.lines > this.#first) this.#rotate();
    // The file is missing when a rotation failed half-way.
    if (this.#file === undefined) this.#create();
    else if (this.head.lines < this.#first) this.#writeHeader();
    if (line.head.lines !== this.head.lines + 1) line = this.#chain.line(record, this.head);
    this.#append(line);
  }

  #append({ bytes, head }: ReturnType<AuditChain['line']>): void {
    const file = this.#file;
    if (file === undefined) throw new Error('the file is open');
    if (this.#isTorn) ftruncateSync(file, this.#length);
    this.#isTorn = true;
    try {
      writeAt(file, bytes, this.#length);
      this.#isTorn = false;
    } finally {
      // Part of a line must not stay, since lines may go to a full disk for days.
      if (this.#isTorn) tryTo(() => ftruncateSync(file, this.#length));
    }
    this.#length += bytes.length;
    this.head = head;
  }

  #rotate(): void {
    const full = `${this.#path}.${String(this.#first).padStart(numberLength, '0')}`;
    if (existsSync(full)) {
      throw new SignalboxError('config', `auditLog: ${full} exists already; move it away`);
    }
    if (this.#options.fsync && this.#file !== undefined) fdatasyncSync(this.#file);
    renameSync(this.#path, full);
    this.#closeFile();
    this.#options.onRotate();
    this.#create();
  }

  /** Makes the next file. */
  #create(): void {
    this.#file = openSync(this.#path, 'wx+', fileMode);
    this.#length = 0;
    this.#isTorn = false;
    this.#first = this.head.lines + 1;
    this.#writeHeader();
  }

  #writeHeader(): void {
    this.#append(this.#chain.header(this.head, this.#options.timestamp()));
    if (this.#options.fsync) this.#syncDirectory();
  }

  #syncDirectory(): void {
    // Windows opens no directories.
    if (process.platform === 'win32') return;
    const directory = openSync(dirname(this.#path), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }

  /** Goes on with the file that a process left. */
  #continueFile(): void {
    const file = attempt('open', this.#path, () => openSync(this.#path, 'r+'));
    this.#file = file;
    const firstLine = attempt('read', this.#path, () => firstLineOf(file));
    if (firstLine === undefined) {
      this.#restartFile(file);
      return;
    }
    const header = this.#chain.read(firstLine);
    const start = header === undefined ? undefined : headerOf(header);
    if (header === undefined || start === undefined || !this.#chain.follows(header, start.prev)) {
      throw this.#problem('is not an audit log of this version with this key, or is damaged');
    }
    const { line, length } = attempt('read', this.#path, () => lastLineOf(file));
    const last = this.#chain.read(line);
    if (last === undefined) throw this.#problem('is damaged in its last line');
    const rest = attempt('read', this.#path, () => bytesAt(file, length));
    if (isDamagedLine(this.#chain, rest)) throw this.#problem('is damaged after its last line');
    this.#first = header.n;
    this.head = { lines: last.n, mac: last.mac };
    this.#length = length;
    // A crash cut a line that nobody was told of.
    if (rest.length > 0) attempt('write', this.#path, () => ftruncateSync(file, length));
  }

  /** Writes the header of a file whose header a crash cut. */
  #restartFile(file: number): void {
    const found = attempt('read', this.#path, () => bytesAt(file, 0)).toString();
    if (!found.startsWith(fileStart.slice(0, found.length)) && !fileStart.startsWith(found)) {
      throw this.#problem('is not an audit log');
    }
    const latest = this.#latestFull();
    this.head = latest === undefined ? emptyHead : this.#headOf(latest);
    this.#length = 0;
    this.#first = this.head.lines + 1;
    this.#isTorn = true;
    attempt('write', this.#path, () => this.#writeHeader());
  }

  /** The path of the latest full file. */
  #latestFull(): string | undefined {
    const directory = dirname(this.#path);
    const start = `${basename(this.#path)}.`;
    const numbers = attempt('read', directory, () => readdirSync(directory))
      .filter((name) => name.startsWith(start))
      .map((name) => name.slice(start.length))
      .filter((number) => number.length === numberLength && /^\d+$/.test(number));
    const latest = numbers.sort().at(-1);
    return latest === undefined ? undefined : join(directory, `${start}${latest}`);
  }

  #headOf(path: string): Head {
    const file = attempt('open', path, () => openSync(path, 'r'));
    try {
      const last = this.#chain.read(attempt('read', path, () => lastLineOf(file)).line);
      if (last === undefined) {
        throw new SignalboxError('config', `auditLog: ${path} is damaged in its last line`);
      }
      return { lines: last.n, mac: last.mac };
    } finally {
      closeSync(file);
    }
  }

  #problem(problem: string): SignalboxError {
    const message = `auditLog: ${this.#path} ${problem}; nothing is written to it: move it away, or use another path`;
    return new SignalboxError('config', message);
  }

  /** Resolves when the disk has the lines so far. Lines that come while it is busy are synced together. */
  #synced(): Promise<void> {
    // One that has started may miss the latest line.
    this.#nextSync ??= (this.#syncing ?? Promise.resolve()).then(ignore, ignore).then(() => {
      const file = this.#file;
      this.#nextSync = undefined;
      this.#syncing = file === undefined ? Promise.resolve() : syncData(file);
      return this.#syncing;
    });
    return this.#nextSync.catch((error: unknown) => {
      throw problemOf('sync', this.#path, error);
    });
  }

  #closeFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    // Its number must not be used again while it is synced.
    if (this.#syncing === undefined) closeSync(file);
    else void this.#syncing.then(ignore, ignore).then(() => closeSync(file));
  }
}

/** Whether the bytes after the last line break are a line whose line break was changed: no crash leaves one. */
export function isDamagedLine(chain: AuditChain, bytes: Buffer): boolean {
  return bytes.length > 0 && chain.read(bytes.subarray(0, -1)) !== undefined;
}

/** The bytes of the file up to `end`. */
function bytesAt(file: number, position: number, end = fstatSync(file).size): Buffer {
  const bytes = Buffer.alloc(Math.max(0, end - position));
  let read = 0;
  while (read < bytes.length) {
    const count = readSync(file, bytes, read, bytes.length - read, position + read);
    if (count === 0) break;
    read += count;
  }
  return bytes.subarray(0, read);
}

/** `undefined` when there is no whole line. */
function firstLineOf(file: number): Buffer | undefined {
  const bytes = bytesAt(file, 0, Math.min(fstatSync(file).size, readBytes));
  const end = bytes.indexOf(newline);
  return end < 0 ? undefined : bytes.subarray(0, end);
}

/** The last whole line, and the length of the file up to its end. */
function lastLineOf(file: number): { readonly line: Buffer; readonly length: number } {
  const { size } = fstatSync(file);
  for (let wanted = readBytes; ; wanted *= 4) {
    const from = Math.max(0, size - wanted);
    const bytes = bytesAt(file, from, size);
    const end = bytes.lastIndexOf(newline);
    const before = end <= 0 ? -1 : bytes.lastIndexOf(newline, end - 1);
    if (end >= 0 && (before >= 0 || from === 0)) {
      return { line: bytes.subarray(before + 1, end), length: from + end + 1 };
    }
    if (from === 0) return { line: Buffer.alloc(0), length: 0 };
  }
}

function tryTo(act: () => void): void {
  try {
    act();
  } catch {
    // It is tried again before the next line.
  }
}

function problemOf(what: string, path: string, error: unknown): unknown {
  if (error instanceof SignalboxError) return error;
  const problem = error instanceof LockProblem ? error.message : fileProblemOf(what, path, error);
  return new SignalboxError('config', `auditLog: ${problem}`, { cause: error });
}

function attempt<Value>(what: string, path: string, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    throw problemOf(what, path, error);
  }
}
