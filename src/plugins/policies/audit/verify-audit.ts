import { closeSync, openSync, readSync } from 'node:fs';
import { type AuditChain, emptyHead, type Head, headerOf, type ReadLine } from './audit-chain.ts';
import { isDamagedLine } from './audit-file.ts';

/** Something that is wrong with a log. */
export type AuditProblem = {
  readonly file: string;
  /** Line of the file, from 1. */
  readonly line: number;
  readonly message: string;
};

export type AuditReport = {
  /** Lines read. */
  readonly lines: number;
  /** The end of the log. */
  readonly head: Head;
  /** The first 100. */
  readonly problems: readonly AuditProblem[];
  /** Set when the last line was being written when the process ended: nobody was told that it was. */
  readonly cutLine?: AuditProblem;
};

export type VerifyOptions = {
  /** A head that was emitted: the log must contain it. */
  readonly head?: Head | undefined;
  /** The number of the first line, if older files were removed. @default 1 */
  readonly first?: number | undefined;
};

const maxProblems = 100;
const chunkBytes = 1 << 16;
const newline = 10;

/** The lines of a file without their line breaks; `isCut` for what follows the last one. */
function* linesOf(path: string): Generator<{ readonly bytes: Buffer; readonly isCut: boolean }> {
  const file = openSync(path, 'r');
  try {
    let pending: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const count = readSync(file, chunk);
      if (count === 0) break;
      let start = 0;
      const end = count;
      for (
        let at = chunk.indexOf(newline);
        at >= 0 && at < end;
        at = chunk.indexOf(newline, start)
      ) {
        yield { bytes: Buffer.concat([...pending, chunk.subarray(start, at)]), isCut: false };
        pending = [];
        start = at + 1;
      }
      if (start < end) pending.push(chunk.subarray(start, end));
    }
    const rest = Buffer.concat(pending);
    if (rest.length > 0) yield { bytes: rest, isCut: true };
  } finally {
    closeSync(file);
  }
}

/** The number of the first line of a file, to put the files in order. */
function firstOf(path: string, chain: AuditChain): number {
  for (const { bytes } of linesOf(path)) return chain.read(bytes)?.n ?? Number.POSITIVE_INFINITY;
  return Number.POSITIVE_INFINITY;
}

/** Reads a log from its first line to its last. */
class Verification {
  readonly problems: AuditProblem[] = [];
  readonly #chain: AuditChain;
  readonly #first: number;
  readonly #wanted: Head | undefined;
  cutLine: AuditProblem | undefined;
  lines = 0;
  head: Head;
  /** The MAC of the line before, unless that line is missing. */
  #previousMac: string | undefined;
  #hasMetHead = false;
  #at = { file: '', line: 0 };

  constructor(chain: AuditChain, { head, first = 1 }: VerifyOptions) {
    this.#chain = chain;
    this.#first = first;
    this.#wanted = head;
    this.head = { ...emptyHead, lines: first - 1 };
    this.#previousMac = first === 1 ? '' : undefined;
  }

  read(file: string, isLast: boolean): void {
    this.#at = { file, line: 0 };
    for (const { bytes, isCut } of linesOf(file)) {
      this.#at = { file, line: this.#at.line + 1 };
      if (!isCut) this.#readLine(bytes);
      else if (!isLast || isDamagedLine(this.#chain, bytes)) this.#report('is cut or damaged');
      else this.cutLine = { ...this.#at, message: 'was not finished when the process ended' };
    }
    if (this.#at.line === 0) this.#report('the file is empty');
  }

  end(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || this.#hasMetHead) return;
    const { lines } = this.head;
    if (wanted.lines > lines) {
      this.#report(
        `the log ends at line ${lines}, but its head was at line ${wanted.lines}: it was cut`,
      );
    } else if (wanted.lines >= this.#first) {
      this.#report(
        `line ${wanted.lines} is not that of the head: the log was cut or replaced before it`,
      );
    }
  }

  #readLine(bytes: Buffer): void {
    const line = this.#chain.read(bytes);
    if (line === undefined) {
      const key = this.#chain.isKeyed
        ? 'with this key'
        : 'without a key: set --key-file if it has one';
      this.#report(`is damaged, or not a line of a log ${key}`);
      this.#previousMac = undefined;
      this.head = { ...this.head, lines: this.head.lines + 1 };
      return;
    }
    this.lines += 1;
    this.#checkOrder(line);
    this.#checkChain(line);
    const { n: lines, mac } = line;
    this.head = { lines, mac };
    this.#previousMac = mac;
    if (lines === this.#wanted?.lines && mac === this.#wanted.mac) this.#hasMetHead = true;
  }

  #checkOrder({ n }: ReadLine): void {
    const expected = this.head.lines + 1;
    if (n === expected) return;
    this.#previousMac = undefined;
    if (n < expected) {
      this.#report(`has number ${n}, and not ${expected}: it was moved or repeated`);
      return;
    }
    const missing =
      n === expected + 1 ? `line ${expected} is` : `lines ${expected} to ${n - 1} are`;
    const isStart = this.lines === 1 && expected === this.#first;
    const hint = isStart ? ` (if older files were removed on purpose, use --first ${n})` : '';
    this.#report(`has number ${n}: ${missing} missing${hint}`);
  }

  #checkChain(line: ReadLine): void {
    const header = headerOf(line);
    const isFirst = this.#at.line === 1;
    if (isFirst !== (header !== undefined)) {
      this.#report(
        isFirst ? 'is not the first line of a file: what was before is missing' : 'is misplaced',
      );
    }
    const previous = this.#previousMac ?? header?.prev;
    if (header !== undefined && header.prev !== (previous ?? header.prev)) {
      this.#report('does not continue the file before it');
    } else if (previous !== undefined && !this.#chain.follows(line, previous)) {
      this.#report('was changed, or the line before it');
    }
  }

  #report(message: string): void {
    if (this.problems.length < maxProblems) this.problems.push({ ...this.#at, message });
  }
}

/**
 * Verifies the files of one log, in any order.
 * @throws when a file cannot be read
 */
export function verifyAudit(
  files: readonly string[],
  chain: AuditChain,
  options: VerifyOptions = {},
): AuditReport {
  const first = new Map(files.map((file) => [file, firstOf(file, chain)]));
  const inOrder = [...first.keys()].sort((a, b) => (first.get(a) ?? 0) - (first.get(b) ?? 0));
  const verification = new Verification(chain, options);
  for (const file of inOrder) verification.read(file, file === inOrder.at(-1));
  verification.end();
  const { lines, head, problems, cutLine } = verification;
  return { lines, head, problems, ...(cutLine !== undefined && { cutLine }) };
}
