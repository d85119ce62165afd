import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { nextValue } from '../../src/internal/read.ts';
import type { Body } from '../../src/transport/answer.ts';
import { decoded } from '../../src/transport/dispatch.ts';

/** A body of these chunks that never ends. */
function silentAfter(...chunks: Uint8Array[]) {
  const cancel = vi.fn();
  const body: Body = {
    hasArrived: false,
    read: () => chunks.shift() ?? new Promise(() => undefined),
    cancel,
  };
  return { body, cancel };
}

describe('a compressed body', () => {
  it('is read as far as it has arrived', async () => {
    const { body } = silentAfter(gzipSync('hello'));
    const plain = decoded(body, 'gzip');
    expect(String(await nextValue(() => plain.read()))).toBe('hello');
  });

  it('is closed immediately while its source is silent', async () => {
    const { body, cancel } = silentAfter(gzipSync('hello'));
    const plain = decoded(body, 'gzip');
    await nextValue(() => plain.read());
    plain.cancel();
    expect(cancel).toHaveBeenCalledOnce();
  });

  it('returns nothing after it is closed', async () => {
    const { body } = silentAfter(gzipSync('a'.repeat(1_000_000)));
    const plain = decoded(body, 'gzip');
    await nextValue(() => plain.read());
    plain.cancel();
    const rest = nextValue(() => plain.read()).catch(() => undefined);
    expect(await rest).toBeUndefined();
  });

  it('is not changed when its encoding is unknown', () => {
    const { body } = silentAfter();
    expect(decoded(body, 'rot13')).toBe(body);
  });
});
