import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { SignalboxError } from '../../errors.ts';
import { fileProblemOf, writeAt } from '../../internal/local-file.ts';
import { LockProblem, lockForProcess, type ProcessLock } from '../../internal/process-lock.ts';
import { formatResult } from './format-result.ts';
import type { RunHeader, RunRecord } from './run-record.ts';
import type { RunResult } from './run-result.ts';

/** Only for the owner: answers may repeat what is in prompts. */
const fileMode = 0o600;

/** How long a line may wait for the disk, in milliseconds. A process that is killed loses none of them. */
const syncEveryMs = 1_000;

const logEnd = '.jsonl';
const resultEnd = '.json';

function fileError(what: string, path: string, cause: unknown): SignalboxError {
  if (cause instanceof LockProblem) return new SignalboxError('config', cause.message, { cause });
  return new SignalboxError('config', fileProblemOf(what, path, cause), { cause });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** Replaces a file at once: it is never half written. @throws SignalboxError `config` */
export function replaceFile(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, text, { mode: fileMode, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** A run as far as it was recorded. */
export type RecordedRun = { readonly header: RunHeader; readonly records: readonly RunRecord[] };

/**
 * Reads the lines of a run. A last line without its end was cut when the process ended, and is left out.
 * @throws SignalboxError `config` that names the line
 */
function parseRun(text: string, path: string): RecordedRun & { readonly bytes: number } {
  const end = text.lastIndexOf('\n') + 1;
  const [first, ...rest] = text
    .slice(0, end)
    .split('\n')
    .slice(0, -1)
    .map((line, index) => {
      try {
        return JSON.parse(line) as RunHeader | RunRecord;
      } catch (cause) {
        const problem = `${path}:${index + 1} is not JSON; delete the file, or run with "fresh"`;
        throw new SignalboxError('config', problem, { cause });
      }
    });
  if (first?.type !== 'run') {
    throw new SignalboxError('config', `${path}: the first line is not that of a run`);
  }
  return {
    header: first,
    records: rest as RunRecord[],
    bytes: Buffer.byteLength(text.slice(0, end)),
  };
}

/** The log of a run: one line for each record, written before the next call is made. */
export class RunFile {
  readonly #path: string;
  readonly #lock: ProcessLock;
  readonly #now: () => number;
  #file: number | undefined;
  #position = 0;
  #syncedAt = 0;

  constructor(path: string, lock: ProcessLock, now: () => number) {
    this.#path = path;
    this.#lock = lock;
    this.#now = now;
  }

  /** Opens it behind what is there, without a line that was cut. */
  open(position: number): void {
    try {
      this.#file = openSync(this.#path, existsSync(this.#path) ? 'r+' : 'wx+', fileMode);
      if (fstatSync(this.#file).size > position) ftruncateSync(this.#file, position);
      this.#position = position;
    } catch (error) {
      throw fileError('open', this.#path, error);
    }
  }

  append(record: RunHeader | RunRecord): void {
    if (this.#file === undefined) return;
    try {
      const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
      writeAt(this.#file, bytes, this.#position);
      this.#position += bytes.length;
      const now = this.#now();
      // The clock may be set back.
      if (Math.abs(now - this.#syncedAt) < syncEveryMs) return;
      this.#syncedAt = now;
      fsyncSync(this.#file);
    } catch (error) {
      throw fileError('write', this.#path, error);
    }
  }

  /** Writes the result: the run is finished then, and not gone on with. */
  finish(result: RunResult): void {
    replaceFile(this.#path.slice(0, -logEnd.length) + resultEnd, formatResult(result));
  }

  /** @throws SignalboxError `config` if the disk does not take the last lines */
  close(): void {
    const file = this.#file;
    this.#file = undefined;
    try {
      if (file !== undefined) fsyncSync(file);
    } catch (error) {
      throw fileError('write', this.#path, error);
    } finally {
      if (file !== undefined) closeSync(file);
      this.#lock.release();
    }
  }
}

/** The directory of one suite below that of all results. */
export class RunDirectory {
  readonly #directory: string;
  readonly #suite: string;
  readonly #now: () => number;

  constructor(results: string, suite: string, now: () => number) {
    this.#directory = join(results, suite.replaceAll(' ', '-'));
    this.#suite = suite;
    this.#now = now;
  }

  #names(): readonly string[] {
    if (!existsSync(this.#directory)) return [];
    try {
      return readdirSync(this.#directory).sort();
    } catch (error) {
      throw fileError('read', this.#directory, error);
    }
  }

  /** The results of finished runs, oldest first. @throws SignalboxError `config` for a file that cannot be read */
  results(): readonly RunResult[] {
    return (
      this.#names()
        .filter((name) => name.endsWith(resultEnd))
        .map((name) => {
          const path = join(this.#directory, name);
          let result: RunResult;
          try {
            result = JSON.parse(readText(path)) as RunResult;
          } catch (error) {
            if (!(error instanceof SyntaxError)) throw error;
            throw fileError('read', path, error);
          }
          if (Array.isArray(result?.targets)) return result;
          throw new SignalboxError('config', `${path} is not a result of signalbox evals; move it`);
        })
        // That of "a b" is also that of "a-b".
        .filter(({ suite }) => suite === this.#suite)
    );
  }

  /** The name of the latest run, finished or not. */
  latestRun(): string | undefined {
    return this.#names()
      .findLast((name) => name.endsWith(logEnd))
      ?.slice(0, -logEnd.length);
  }

  /** The latest run without a result. */
  unfinished(): RecordedRun | undefined {
    const names = this.#names();
    const name = names.findLast((each) => each.endsWith(logEnd));
    if (name === undefined || names.includes(name.slice(0, -logEnd.length) + resultEnd))
      return undefined;
    const path = join(this.#directory, name);
    const text = readText(path);
    // Killed before the first line was complete: nothing was asked.
    return text.includes('\n') ? parseRun(text, path) : undefined;
  }

  /**
   * Opens the log of a run: a new one with its header, or one that is there.
   * @throws SignalboxError `config` while another process runs the suite, or if it cannot be written
   */
  open(header: RunHeader): RunFile & { readonly records: readonly RunRecord[] } {
    const path = join(this.#directory, header.run + logEnd);
    let lock: ProcessLock;
    try {
      mkdirSync(this.#directory, { recursive: true });
      lock = lockForProcess(join(this.#directory, '.lock'), `the suite ${header.suite}`);
    } catch (error) {
      throw fileError('write', this.#directory, error);
    }
    try {
      const file = new RunFile(path, lock, this.#now);
      const text = existsSync(path) ? readText(path) : '';
      const recorded = text.includes('\n') ? parseRun(text, path) : undefined;
      file.open(recorded?.bytes ?? 0);
      if (recorded === undefined) file.append(header);
      return Object.assign(file, { records: recorded?.records ?? [] });
    } catch (error) {
      lock.release();
      throw error;
    }
  }
}
