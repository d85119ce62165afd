import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { nextValue } from '../../src/internal/read.ts';
import { decoded } from '../../src/transport/body/content-encoding.ts';
import type { Body } from '../../src/transport/body/response.ts';

/** A body of these pieces, after which nothing more comes. */
function silentAfter(...pieces: Uint8Array[]) {
  const cancel = vi.fn();
  const body: Body = {
    hasArrived: false,
    read: () => pieces.shift() ?? new Promise(() => undefined),
    cancel,
  };
  return { body, cancel };
}

describe('a compressed body', () => {
  it('is read as far as it has come', async () => {
    const { body } = silentAfter(gzipSync('hello'));
    const plain = decoded(body, 'gzip');
    expect(String(await nextValue(() => plain.read()))).toBe('hello');
  });

  it('is closed at once, though its source is silent', async () => {
    const { body, cancel } = silentAfter(gzipSync('hello'));
    const plain = decoded(body, 'gzip');
    await nextValue(() => plain.read());
    plain.cancel();
    expect(cancel).toHaveBeenCalledOnce();
  });

  it('gives out nothing more once it is closed', async () => {
    const { body } = silentAfter(gzipSync('a'.repeat(1_000_000)));
    const plain = decoded(body, 'gzip');
    await nextValue(() => plain.read());
    plain.cancel();
    const rest = nextValue(() => plain.read()).catch(() => undefined);
    expect(await rest).toBeUndefined();
  });

  it('is left as it is in an encoding that we do not know', () => {
    const { body } = silentAfter();
    expect(decoded(body, 'rot13')).toBe(body);
  });
});
