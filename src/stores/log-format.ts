import { crc32 } from 'node:zlib';
import type { Change, Used } from '../internal/memory-store.ts';
import type { Json } from '../protocol/json.ts';

/** Raised with every change that an older version would not understand. */
const version = 1;

const headerStart = 'signalbox-store ';

/** The first line. The others are `<checksum> <JSON>`; each checksum includes the lines before. */
export const header = Buffer.from(`${headerStart}${version}\n`);

const newline = 10;
const checksumLength = 8;

/** Ends what was there when the file was written. It is renamed when complete, so no crash leaves one without. */
const complete = '["complete"]';

/** A line and the checksum with which the next one starts. */
export type Line = { readonly bytes: Buffer; readonly checksum: number };

function lineOf(text: string, previous: number): Line {
  const checksum = crc32(text, previous);
  return { bytes: Buffer.from(`${hex(checksum)} ${text}\n`), checksum };
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(checksumLength, '0');
}

/** The line of a change. */
export function changeLine(change: Change, previous: number): Line {
  return lineOf(JSON.stringify(encoded(change)), previous);
}

/** The line that ends the changes with which a file begins. */
export function completeLine(previous: number): Line {
  return lineOf(complete, previous);
}

function encoded(change: Change): Json {
  switch (change.type) {
    case 'settle': {
      const flat: Json[] = ['s', change.now];
      for (const { counter, amount } of change.used) {
        const { key, window } = counter;
        if (amount > 0) flat.push(key, 'until' in window ? window.until : [window.lastMs], amount);
      }
      return flat;
    }
    case 'fact':
      return ['f', change.key, change.value, change.now, change.expiresAt];
    case 'document':
      return ['d', change.key, change.value, change.version];
  }
}

/** @throws for a line that this version did not write */
function decoded(text: string): Change {
  const [type, ...fields] = JSON.parse(text);
  if (type === 's') {
    const [now, ...flat] = fields;
    const used: Used[] = [];
    for (let index = 0; index < flat.length; index += 3) {
      const [key, window, amount] = flat.slice(index, index + 3);
      used.push({
        counter: { key, window: Array.isArray(window) ? { lastMs: window[0] } : { until: window } },
        amount,
      });
    }
    return { type: 'settle', now, used };
  }
  if (type === 'f') {
    const [key, value, now, expiresAt] = fields;
    return { type: 'fact', key, value, now, expiresAt };
  }
  if (type === 'd') {
    const [key, value, documentVersion] = fields;
    return { type: 'document', key, value, version: documentVersion };
  }
  throw new Error('is of an unknown kind');
}

/** What is in a file. */
export type LogContent = {
  /** Up to the end of the last whole line, in bytes. What follows is a write that a crash cut. */
  readonly length: number;
  readonly checksum: number;
};

/** Why a file cannot be read. */
export class LogDamage extends Error {
  /** Where the file without what follows could be read. */
  readonly intactLength: number | undefined;

  constructor(problem: string, intactLength?: number, cause?: unknown) {
    super(problem, { cause });
    this.intactLength = intactLength;
  }
}

/** The format is that of a newer version. */
export class NewerLog extends Error {}

function checkHeader(bytes: Buffer): void {
  if (bytes.length === 0) throw new LogDamage('is empty, which a store never leaves');
  const end = bytes.indexOf(newline);
  const first = bytes.toString('latin1', 0, Math.min(end < 0 ? bytes.length : end, 100));
  const found = /^signalbox-store ([1-9]\d*)$/.exec(first)?.[1];
  if (found === undefined || end < 0)
    throw new LogDamage('is not a state file, or its first line is damaged');
  if (Number(found) > version) {
    throw new NewerLog(`has format ${found}, and this version reads up to ${version}`);
  }
}

/**
 * Reads a file and calls `restore` with each change, in order.
 * @throws LogDamage for anything but a last line without its end, which is a write that a crash cut
 * @throws NewerLog
 */
export function readLog(bytes: Buffer, restore: (change: Change) => void): LogContent {
  checkHeader(bytes);
  let start = header.length;
  let checksum = 0;
  let isComplete = false;
  const fail = (problem: string, cause?: unknown): never => {
    throw new LogDamage(`${problem} at byte ${start}`, isComplete ? start : undefined, cause);
  };
  for (let end = bytes.indexOf(newline, start); end >= 0; end = bytes.indexOf(newline, start)) {
    const next = checksumOf(bytes, start, end, checksum) ?? fail('is damaged');
    const text = bytes.toString('utf8', start + checksumLength + 1, end);
    if (text === complete) isComplete = true;
    else {
      try {
        restore(decoded(text));
      } catch (error) {
        fail('has an invalid line', error);
      }
    }
    checksum = next;
    start = end + 1;
  }
  if (!isComplete) fail('was cut');
  // A cut line lacks more than its end: one that is whole but for another last byte was damaged.
  if (bytes.length > start && checksumOf(bytes, start, bytes.length - 1, checksum) !== undefined) {
    fail('is damaged');
  }
  return { length: start, checksum };
}

/** The checksum of the line between the offsets; `undefined` when it is not right. */
function checksumOf(
  bytes: Buffer,
  start: number,
  end: number,
  previous: number,
): number | undefined {
  const textStart = start + checksumLength + 1;
  if (end < textStart) return undefined;
  const checksum = crc32(bytes.subarray(textStart, end), previous);
  return bytes.toString('latin1', start, textStart) === `${hex(checksum)} ` ? checksum : undefined;
}
