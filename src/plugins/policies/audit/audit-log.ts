import { SignalboxError } from '../../../errors.ts';
import { closest } from '../../../internal/closest.ts';
import { quoted } from '../../../internal/quoted.ts';
import { timestamp } from '../../../internal/timestamp.ts';
import type {
  Plugin,
  PluginCall,
  PluginCallEnd,
  PluginRequest,
  PluginRouter,
} from '../../../protocol/plugin.ts';
import { systemRuntime } from '../../../runtime.ts';
import type { AuditRecord } from './audit-chain.ts';
import { AuditChain, headText } from './audit-chain.ts';
import { AuditFile, type AuditSink } from './audit-file.ts';
import { type AuditContent, eventRecordOf, recordOf } from './audit-record.ts';
import { AuditWriter, type WriteLines } from './audit-writer.ts';

/** Options of {@link auditLog}: `file` or `write` is required. */
export type AuditLogOptions = {
  /**
   * The path of the log. Its directory must exist, on a local disk. One process writes to it, which holds
   * `<file>.lock`.
   */
  readonly file?: string | undefined;
  /**
   * Instead of a file: a function that stores lines. It gets one or more whole lines, each with its line break, and
   * stores all of them, or none and throws. It is called again when its last call is over; calls wait for it. Each process
   * writes a log that begins at line 1.
   */
  readonly write?: WriteLines | undefined;
  /**
   * Chains the lines by HMAC-SHA256, so that `signalbox audit verify` finds what was changed. At least 16 bytes; a line
   * break at the end is ignored. Keep it where those who could change the log cannot read it.
   */
  readonly key?: string | Uint8Array | undefined;
  /**
   * What is kept of requests and answers, as they were sent to and received from the vendor. `hash`: their HMAC, which
   * requires `key`. `redacted`: their text; a plugin that redacts must apply to all calls, and images and files are kept
   * as their SHA-256.
   * @default 'none'
   */
  readonly content?: AuditContent | undefined;
  /**
   * Waits until the disk has the line, so that it survives a power failure too.
   * @default false
   */
  readonly fsync?: boolean | undefined;
  /**
   * Size in bytes after which the file is renamed to `<file>.<number of its first line>` and a new one is started.
   * @default 100_000_000
   */
  readonly maxFileBytes?: number | undefined;
  /** @default 'audit' */
  readonly name?: string | undefined;
  /** Tiers whose calls are not recorded. */
  readonly exceptTiers?: readonly string[] | undefined;
  /**
   * Lets calls pass that cannot be recorded. The next line has their number as `lost`.
   * @default false
   */
  readonly failOpen?: boolean | undefined;
};

const known = [
  ...['file', 'write', 'key', 'content', 'fsync', 'maxFileBytes', 'name', 'exceptTiers'],
  'failOpen',
] as const satisfies readonly (keyof AuditLogOptions)[];

const contents: readonly unknown[] = ['none', 'hash', 'redacted'];

const defaultMaxFileBytes = 100_000_000;
const minFileBytes = 1000;

/** Lines after which the head is emitted. */
const linesPerHead = 1000;

function problem(text: string): SignalboxError {
  return new SignalboxError('config', `auditLog: ${text}`);
}

/** @throws SignalboxError `config` */
function checkOptions(options: AuditLogOptions): void {
  if (typeof options !== 'object' || options === null) throw problem('options must be an object');
  for (const option of Object.keys(options)) {
    if (known.some((name) => name === option)) continue;
    const meant = closest(option, known);
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    throw problem(`there is no option ${quoted(option)}${hint}`);
  }
  const { file, write, key, content = 'none', fsync, maxFileBytes } = options;
  if ((file === undefined) === (write === undefined)) {
    throw problem('either file or write is required, and not both');
  }
  if (file !== undefined && (typeof file !== 'string' || file === '')) {
    throw problem('file must be the path of a file');
  }
  if (write !== undefined && typeof write !== 'function') throw problem('write must be a function');
  if (write !== undefined && (fsync !== undefined || maxFileBytes !== undefined)) {
    throw problem('fsync and maxFileBytes apply to file only');
  }
  if (key !== undefined && typeof key !== 'string' && !(key instanceof Uint8Array)) {
    throw problem('key must be a string or bytes');
  }
  if (!contents.includes(content)) throw problem("content must be 'none', 'hash' or 'redacted'");
  if (content === 'hash' && key === undefined) {
    throw problem(
      "content: 'hash' requires key: without, a short prompt can be guessed from its hash",
    );
  }
  if (fsync !== undefined && typeof fsync !== 'boolean') {
    throw problem('fsync must be true or false');
  }
  if (maxFileBytes !== undefined && !(maxFileBytes >= minFileBytes)) {
    throw problem(`maxFileBytes must be a number of at least ${minFileBytes}`);
  }
}

/** Whether the plugin redacts all calls that a plugin with these `exceptTiers` sees. */
function redactsAll(plugin: Plugin, exceptTiers: readonly string[]): boolean {
  const { redacts, failOpen, exceptTiers: exempt = [] } = plugin;
  return (
    redacts === true && failOpen !== true && exempt.every((tier) => exceptTiers.includes(tier))
  );
}

class AuditLog implements Plugin {
  readonly name: string;
  readonly exceptTiers: readonly string[];
  readonly failOpen: boolean;
  readonly on: Plugin['on'] = {
    'drift-detected': (event) => this.#append(() => eventRecordOf(event)),
    'drift-cleared': (event) => this.#append(() => eventRecordOf(event)),
    'target-demote': (event) => this.#append(() => eventRecordOf(event)),
    'target-demote-end': (event) => this.#append(() => eventRecordOf(event)),
  };
  readonly #content: AuditContent;
  readonly #chain: AuditChain;
  readonly #sink: AuditSink;
  /** The clock of the latest router. */
  #now = (): number => systemRuntime.now();
  #emitters: PluginRouter['auditHead'][] = [];
  /** Routers that are open. */
  #routers = 0;
  /** Lines at the latest head that was emitted. */
  #emittedLines = 0;
  /** Calls that could not be recorded since the last line. */
  #lost = 0;

  constructor(options: AuditLogOptions) {
    const { file, write, key, fsync = false, maxFileBytes = defaultMaxFileBytes } = options;
    this.name = options.name ?? 'audit';
    this.exceptTiers = options.exceptTiers ?? [];
    this.failOpen = options.failOpen ?? false;
    this.#content = options.content ?? 'none';
    this.#chain = new AuditChain(key);
    const at = (): string => timestamp(this.#now());
    this.#sink =
      write === undefined
        ? new AuditFile(this.#chain, {
            ...{ path: file ?? '', maxFileBytes, fsync, timestamp: at },
            onRotate: () => this.#emitHead(),
          })
        : new AuditWriter(this.#chain, write, at);
  }

  onCreate({ plugins, auditHead }: PluginRouter): void {
    const isRedacted = plugins.some((plugin) => redactsAll(plugin, this.exceptTiers));
    if (this.#content === 'redacted' && !isRedacted) {
      throw problem(
        "content: 'redacted' requires a plugin that redacts, such as redactPii(), with neither failOpen nor exceptTiers that are not exempt here too",
      );
    }
    this.#routers += 1;
    this.#emitters.push(auditHead);
  }

  onRequest(request: PluginRequest, { runtime }: PluginCall): PluginRequest {
    // Before anything is sent: what cannot be recorded must not happen.
    this.#now = () => runtime.now();
    this.#sink.open();
    return request;
  }

  async onEnd(end: PluginCallEnd, call: PluginCall): Promise<void> {
    this.#now = () => call.runtime.now();
    await this.#append(() => recordOf(end, call, this.#content, this.#chain));
  }

  async #append(recordOfIt: () => AuditRecord): Promise<void> {
    const lost = this.#lost;
    try {
      const record = recordOfIt();
      this.#lost = 0;
      await this.#sink.append(lost === 0 ? record : { ...record, lost });
    } catch (error) {
      this.#lost += lost + 1;
      throw error;
    }
    const { lines } = this.#sink.head;
    const isDue = Math.floor(lines / linesPerHead) > Math.floor(this.#emittedLines / linesPerHead);
    if (isDue) this.#emitHead();
  }

  async close(): Promise<void> {
    this.#routers = Math.max(0, this.#routers - 1);
    if (this.#routers > 0) return;
    await this.#sink.close();
    this.#emitHead();
    this.#emitters = [];
  }

  #emitHead(): void {
    const { head } = this.#sink;
    // Without a key anyone could make one.
    if (!this.#chain.isKeyed || head.lines === 0 || head.lines === this.#emittedLines) return;
    this.#emittedLines = head.lines;
    for (const emit of this.#emitters) emit({ lines: head.lines, head: headText(head) });
  }
}

/**
 * A plugin that writes one line of JSON for each call: who (tags), what, which target, verdicts, tools, tokens and US
 * dollars. Calls that were blocked, failed, aborted or answered from a cache have lines too, and those that other plugins
 * make. So have changes of routing: a target that drifts or recovers in evals, and demotions. The line is written before the caller gets the result; a call that cannot be recorded fails as `plugin_failed`.
 *
 * The file is opened with the first call.
 * @throws SignalboxError `config` for bad options; `createRouter` throws it when `content: 'redacted'` lacks a plugin that
 * redacts
 */
export function auditLog(options: AuditLogOptions): Plugin {
  checkOptions(options);
  return new AuditLog(options);
}
