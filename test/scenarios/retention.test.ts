import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

const program = join(import.meta.dirname, '../support/retention/run.ts');

type Retained = { readonly objects: readonly string[]; readonly texts: readonly string[] };

type Found = {
  readonly atOnce: readonly string[];
  readonly open: Retained;
  readonly listeners: number;
  readonly bytes: number;
  readonly closed: Retained;
  readonly gone: Retained;
};

const nothing: Retained = { objects: [], texts: [] };

/** Runs in a separate process with a small heap, so that searching a heap snapshot takes one second. */
describe('after a call, on every wire and with every outcome', { timeout: 300_000 }, () => {
  let found: Found;
  beforeAll(async () => {
    const node = ['--expose-gc', '--no-warnings', program];
    const { stdout } = await promisify(execFile)(process.execPath, node);
    found = JSON.parse(stdout) as Found;
  }, 300_000);

  it('does not keep prompt or answer, not even in RegExp.input', () => {
    expect(found.atOnce).toEqual([]);
  });

  it('does not keep signals, validators or schemas of the caller while the router is open', () => {
    expect(found.open).toEqual(nothing);
  });

  it('leaves no listener on a signal that the caller keeps', () => {
    expect(found.listeners).toBe(0);
  });

  it('frees the memory of large images and answers', () => {
    expect(found.bytes).toBeLessThan(3_000_000);
  });

  it('keeps nothing after the router is closed', () => {
    expect(found.closed).toEqual(nothing);
  });

  it('keeps no provider and no key function after the router is dropped', () => {
    expect(found.gone).toEqual(nothing);
  });
});
