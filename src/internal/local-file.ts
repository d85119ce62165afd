import { existsSync, realpathSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** What to do about an error of the system. */
const remedies: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist; create it, or check that its volume is mounted',
  ENOTDIR: 'a part of its path is not a directory',
  EISDIR: 'it is a directory; use the path of a file',
  EACCES: 'this process may not read and write there; change the owner or the mode',
  EPERM: 'this process may not read and write there; change the owner or the mode',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full; make space',
  EDQUOT: 'the disk quota is used up; make space',
  EFBIG: 'the file would exceed the size that the system allows; raise it',
  EMFILE: 'this process has too many open files; raise the limit',
};

/** What could not be done with the file, why, and what to do. */
export function fileProblemOf(what: string, path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return `cannot ${what} ${path}: ${remedies[code] ?? 'see the cause'} (${code})`;
}

/** Writes all bytes at the position. What an error leaves there is overwritten by the next write. */
export function writeAt(file: number, bytes: Buffer, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(file, bytes, written, bytes.length - written, position + written);
  }
}

/** The path without symbolic links, or two of them would have two locks. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  if (existsSync(absolute)) return realpathSync(absolute);
  return join(realpathSync(dirname(absolute)), basename(absolute));
}
