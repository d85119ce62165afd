import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { ConfigSource } from '../../protocol/config-source.ts';
import { checkInterval } from './check-arguments.ts';
import { parseDocument } from './parse-document.ts';
import { type DocumentReader, pollingSource, type ReadContext } from './polling-source.ts';
import { readSourceText } from './read-file.ts';

/** Notifications get lost on network drives, and there are none of what is behind a link. */
const defaultEveryMs = 5_000;

/** A file that is written in place changes several times within milliseconds. */
const settleMs = 50;

export type FileSourceOptions = {
  /**
   * Milliseconds between two checks whether the file has changed. Usually the operating system reports a change within
   * milliseconds.
   * @default 5_000
   */
  readonly everyMs?: number;
};

/** What changes with every change of a file, also when a link on the way to it is replaced. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'none';
  }
}

/**
 * The stamp of the file once it has stopped changing. Waits at least once, so that many changes in the directory cost
 * little.
 */
async function settledStamp(path: string, { runtime, signal }: ReadContext): Promise<string> {
  let last = await stampOf(path);
  for (;;) {
    await runtime.sleep(settleMs, signal);
    const stamp = await stampOf(path);
    if (stamp === last) return stamp;
    last = stamp;
  }
}

class FileReader implements DocumentReader {
  readonly #path: string;
  /** The stamp of the file that was read last. */
  #stamp: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async read(context: ReadContext): Promise<unknown> {
    const isFirst = this.#stamp === undefined;
    const stamp = await (isFirst ? stampOf(this.#path) : settledStamp(this.#path, context));
    if (stamp === this.#stamp) return undefined;
    const source = await readSourceText(this.#path);
    // Before it is parsed: an invalid document is reported once.
    this.#stamp = stamp;
    return await parseDocument(source);
  }

  watch(wake: () => void, signal: AbortSignal): void {
    try {
      // The directory: a watcher of the file would keep watching the one that was replaced.
      const watcher = watch(dirname(this.#path), { signal, persistent: false }, wake);
      watcher.on('error', () => watcher.close());
    } catch {
      // Without notifications, the regular checks find the change.
    }
  }
}

/**
 * A configuration in a local file, for `router.follow`. Replace the file as a whole (write another one and rename it), or
 * replace a link to it, as Kubernetes does.
 */
export function fileSource(path: string, options: FileSourceOptions = {}): ConfigSource {
  const { everyMs = defaultEveryMs } = options;
  checkInterval('fileSource', everyMs);
  const file = resolve(path);
  return pollingSource(`file ${basename(file)}`, everyMs, () => new FileReader(file));
}
