import { type AuditChain, type AuditRecord, emptyHead, type Head } from './audit-chain.ts';
import type { AuditSink } from './audit-file.ts';

/** Stores one or more whole lines, each with its line break: all of them, or none and it throws. */
export type WriteLines = (lines: string) => void | Promise<void>;

type Waiting = { readonly record: AuditRecord } & PromiseWithResolvers<void>;

/** Gives lines to a function: one call at a time, with all lines that have come since the last one. */
export class AuditWriter implements AuditSink {
  readonly #chain: AuditChain;
  readonly #write: WriteLines;
  readonly #timestamp: () => string;
  head: Head = emptyHead;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(chain: AuditChain, write: WriteLines, timestamp: () => string) {
    this.#chain = chain;
    this.#write = write;
    this.#timestamp = timestamp;
  }

  open(): void {}

  append(record: AuditRecord): Promise<void> {
    const line = { record, ...Promise.withResolvers<void>() };
    this.#waiting.push(line);
    this.#writing ??= this.#writeAll();
    return line.promise;
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // The function must not run inside of the caller.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      let { head } = this;
      const lines: Buffer[] = [];
      const add = (line: ReturnType<AuditChain['line']>): void => {
        lines.push(line.bytes);
        head = line.head;
      };
      if (head.lines === 0) add(this.#chain.header(head, this.#timestamp()));
      for (const { record } of batch) add(this.#chain.line(record, head));
      try {
        await this.#write(Buffer.concat(lines).toString());
        this.head = head;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = undefined;
  }
}
