import { SignalboxError } from '../errors.ts';
import { MemoryStore } from '../internal/memory-store.ts';
import type { Store } from '../protocol/store.ts';
import { FileJournal } from './file-journal.ts';

/** About 40,000 settled reservations, or a fifth of a second to read. */
const usualGrowthBytes = 4 << 20;

/** `fileStore` with the size in bytes after which the file is written again. */
export function openFileStore(path: string, growthBytes: number): Store {
  if (typeof path !== 'string' || path === '') {
    throw new SignalboxError('config', 'fileStore: path must be the path of a file');
  }
  const journal = new FileJournal(path, growthBytes);
  const store = new MemoryStore('file', journal);
  journal.open(store);
  return store;
}

/**
 * A store in a file, for one process: what is spent, facts and documents survive a restart. Reservations do not, since
 * nobody could settle those of a process that ended.
 *
 * Its methods are synchronous. When one returns, the change survives the death of the process, by `kill -9` too. After a
 * power failure, what the system had not written yet is missing (on Linux up to about 30 seconds). The file is read at
 * once; it grows and is replaced by a shorter one from time to time. Next to it is `<path>.lock`, which stays.
 *
 * The directory must exist, on a local disk, and the file must not be touched while it is in use.
 * @throws SignalboxError `config` when another process has the file open, when it cannot be read or written, is damaged
 * (with the offset and what to do: it is never reset), or was written by a newer version. Methods throw it too, when
 * they cannot write.
 */
export function fileStore(path: string): Store {
  return openFileStore(path, usualGrowthBytes);
}
