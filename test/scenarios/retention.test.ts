import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

const program = join(import.meta.dirname, '../support/retention/run.ts');

type Held = { readonly objects: readonly string[]; readonly texts: readonly string[] };

type Found = {
  readonly atOnce: readonly string[];
  readonly open: Held;
  readonly listeners: number;
  readonly bytes: number;
  readonly closed: Held;
  readonly gone: Held;
};

const nothing: Held = { objects: [], texts: [] };

/** In a process of its own, whose heap holds nothing else: a snapshot of it is searched in a second. */
describe('after a call has ended, on every wire and in every way', { timeout: 300_000 }, () => {
  let found: Found;
  beforeAll(async () => {
    const node = ['--expose-gc', '--no-warnings', program];
    const { stdout } = await promisify(execFile)(process.execPath, node);
    found = JSON.parse(stdout) as Found;
  }, 300_000);

  it('keeps neither prompt nor answer, not even as the last match of a regular expression', () => {
    expect(found.atOnce).toEqual([]);
  });

  it('keeps no signal, check or schema of the caller while the router is open', () => {
    expect(found.open).toEqual(nothing);
  });

  it('does not listen to a signal that the caller keeps', () => {
    expect(found.listeners).toBe(0);
  });

  it('gives back the memory of large images and answers', () => {
    expect(found.bytes).toBeLessThan(3_000_000);
  });

  it('keeps nothing once the router is closed', () => {
    expect(found.closed).toEqual(nothing);
  });

  it('keeps no provider and no key function once the router is let go', () => {
    expect(found.gone).toEqual(nothing);
  });
});
