import { createHmac } from 'node:crypto';
import { SignalboxError } from '../../../errors.ts';
import type { Json } from '../../../protocol/json.ts';

/** The end of a log: the number of its last line, and the MAC of that line, which is empty without a key. */
export type Head = { readonly lines: number; readonly mac: string };

export const emptyHead: Head = { lines: 0, mac: '' };

/** A record of a log, without what chains it. */
export type AuditRecord = { readonly [field: string]: Json | undefined };

/** A line as it was read. */
export type ReadLine = {
  readonly n: number;
  readonly mac: string;
  /** What the MAC covers, besides the line before. */
  readonly body: Buffer;
  readonly record: AuditRecord;
};

const minKeyBytes = 16;

/** Raised with every change of the lines that an older version of `audit verify` would not understand. */
const format = 1;

/** Every file begins with this. */
export const fileStart = '{"signalbox-audit":';

const macStart = ',"mac":"';
const macLength = 64;
const macEnd = '"}';
const tailLength = macStart.length + macLength + macEnd.length;

/** A key for one purpose, so that no hash of one can be used as the other. */
function keyFor(purpose: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(`signalbox audit ${purpose}`).digest();
}

/** The text of the head, for people and `--head`. */
export function headText({ lines, mac }: Head): string {
  return `${lines}:${mac}`;
}

/** `undefined` for a text that is none. */
export function parseHead(text: string): Head | undefined {
  const [, lines, mac] = /^([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  return lines === undefined || mac === undefined ? undefined : { lines: Number(lines), mac };
}

/** Line separators of Unicode, which some readers take for the end of a line. */
function escaped(json: string): string {
  return json.replace(/[\u0085\u2028\u2029]/g, (character) =>
    character === '\u0085' ? '\\u0085' : character === '\u2028' ? '\\u2028' : '\\u2029',
  );
}

function isRecord(value: unknown): value is AuditRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The lines of an audit log. With a key, each ends with the HMAC-SHA256 of the MAC of the line before and the line
 * itself, so that no line can be changed, removed or moved without the key.
 */
export class AuditChain {
  readonly #chainKey: Buffer | undefined;
  readonly #contentKey: Buffer | undefined;

  /** @throws SignalboxError `config` for a key that is too short */
  constructor(key?: string | Uint8Array) {
    if (key === undefined) return;
    const bytes = typeof key === 'string' ? Buffer.from(key) : Buffer.from(key);
    // What `echo` and editors add to a file is not part of the key.
    const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? -2 : -1) : bytes.length;
    const secret = bytes.subarray(0, end);
    if (secret.length < minKeyBytes) {
      const message = `auditLog: the key must have at least ${minKeyBytes} bytes; make one with: openssl rand -hex 32`;
      throw new SignalboxError('config', message);
    }
    this.#chainKey = keyFor('chain', secret);
    this.#contentKey = keyFor('content', secret);
  }

  get isKeyed(): boolean {
    return this.#chainKey !== undefined;
  }

  /** The hash of content, which nobody can guess without the key. */
  hash(text: string): string {
    const key = this.#contentKey;
    if (key === undefined) throw new Error('content is hashed with a key only');
    return createHmac('sha256', key).update(text).digest('hex');
  }

  /** The next line after `head`, and the head with it. */
  line(record: AuditRecord, { lines, mac }: Head): { readonly bytes: Buffer; readonly head: Head } {
    return this.#line({ n: lines + 1, ...record }, lines + 1, mac);
  }

  /** The first line of a file, which continues the files before it. */
  header({ lines, mac }: Head, at: string): ReturnType<AuditChain['line']> {
    const record = { 'signalbox-audit': format, n: lines + 1, prev: mac, at };
    return this.#line(record, lines + 1, mac);
  }

  /** `undefined` when the bytes, without their line break, are not a line of a log with, or without, a key. */
  read(bytes: Buffer): ReadLine | undefined {
    let record: unknown;
    try {
      record = JSON.parse(bytes.toString());
    } catch {
      return undefined;
    }
    if (!isRecord(record)) return undefined;
    const { n, mac = '' } = record;
    if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 1) return undefined;
    if (!this.isKeyed) return mac === '' ? { n, mac, body: bytes, record } : undefined;
    const tail = `${macStart}${mac}${macEnd}`;
    if (typeof mac !== 'string' || mac.length !== macLength) return undefined;
    if (bytes.toString('latin1', bytes.length - tailLength) !== tail) return undefined;
    return { n, mac, body: bytes.subarray(0, bytes.length - tailLength), record };
  }

  /** Whether the line follows one with that MAC. */
  follows({ body, mac }: ReadLine, previousMac: string): boolean {
    return this.#macOf(body, previousMac) === mac;
  }

  #line(record: AuditRecord, n: number, previousMac: string): ReturnType<AuditChain['line']> {
    const text = escaped(JSON.stringify(record));
    if (!this.isKeyed) return { bytes: Buffer.from(`${text}\n`), head: { lines: n, mac: '' } };
    const body = text.slice(0, -1);
    const mac = this.#macOf(Buffer.from(body), previousMac);
    const bytes = Buffer.from(`${body}${macStart}${mac}${macEnd}\n`);
    return { bytes, head: { lines: n, mac } };
  }

  #macOf(body: Buffer, previousMac: string): string {
    if (this.#chainKey === undefined) return '';
    return createHmac('sha256', this.#chainKey).update(previousMac).update(body).digest('hex');
  }
}

/** The header of a file. `undefined` when the line is none, or one of a newer version. */
export function headerOf({ record }: ReadLine): { readonly prev: string } | undefined {
  const { 'signalbox-audit': found, prev } = record;
  return found === format && typeof prev === 'string' ? { prev } : undefined;
}
