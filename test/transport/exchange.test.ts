import { describe, expect, test } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import type { AttemptContext } from '../../src/protocol/provider.ts';
import { exchange } from '../../src/transport/exchange.ts';
import { type Fetch, guardedFetch, withCapture } from '../../src/transport/guarded-fetch.ts';

function contextWith(signal = new AbortController().signal): AttemptContext {
  return {
    signal,
    transfer: 'stream',
    keepRaw: false,
    watch: { connected: () => undefined, bytes: () => undefined, limits: () => undefined },
  };
}

const guard = (fetch: Fetch) => guardedFetch({ headers: () => ({}), fetch });

describe('exchange', () => {
  test('reads what the vendor sent, not what the SDK returns', async () => {
    const fetch = guard(async () => new Response('{"a":1}'));
    const reply = await exchange(contextWith(), (capture) =>
      fetch('http://x', withCapture(capture)),
    );
    expect(reply).toMatchObject({ kind: 'json', body: { a: 1 } });
  });

  test('ignores an SDK that fails on its empty response', async () => {
    const fetch = guard(async () => new Response('no', { status: 503 }));
    const reply = await exchange(contextWith(), async (capture) => {
      await fetch('http://x', withCapture(capture));
      throw new Error('choices is undefined');
    });
    expect(reply).toMatchObject({ kind: 'http-error', error: { status: 503 } });
  });

  test('reports a failed connection however the SDK wraps it', async () => {
    const cause = Object.assign(new TypeError('fetch failed'), { code: 'ECONNRESET' });
    const fetch = guard(async () => {
      throw cause;
    });
    const failing = exchange(contextWith(), (capture) =>
      fetch('http://x', withCapture(capture)).catch(() => {
        throw new Error('Connection error.');
      }),
    );
    await expect(failing).rejects.toMatchObject({ code: 'connection', cause });
  });

  test('throws what the SDK rejected with before it sent anything', async () => {
    const cause = new TypeError('model must be a string');
    await expect(exchange(contextWith(), () => Promise.reject(cause))).rejects.toBe(cause);
  });

  test('throws what the SDK threw synchronously', async () => {
    const cause = new TypeError('model must be a string');
    const failing = exchange(contextWith(), () => {
      throw cause;
    });
    await expect(failing).rejects.toBe(cause);
  });

  test('reports missing credentials of an SDK', async () => {
    const cause = new Error('no credentials in the chain');
    const failing = exchange(contextWith(), () => Promise.reject(cause), 'set them up');
    await expect(failing).rejects.toMatchObject({ code: 'auth', message: 'set them up', cause });
  });

  test('fails when the SDK does not use the fetch', async () => {
    const failing = exchange(contextWith(), async () => 'done');
    await expect(failing).rejects.toMatchObject({ code: 'connection' });
  });

  test("fails with the signal's reason after an abort", async () => {
    const reason = new SignalboxError('timeout', 'late', { phase: 'first-token' });
    const controller = new AbortController();
    const failing = exchange(contextWith(controller.signal), async () => {
      controller.abort(reason);
      throw new Error('Request was aborted.');
    });
    await expect(failing).rejects.toBe(reason);
    let isSent = false;
    const late = exchange(contextWith(controller.signal), async () => {
      isSent = true;
    });
    await expect(late).rejects.toBe(reason);
    expect(isSent).toBe(false);
  });
});
