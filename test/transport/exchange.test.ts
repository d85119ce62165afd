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
  test('reads what the vendor sent, not what the SDK made of it', async () => {
    const fetch = guard(async () => new Response('{"a":1}'));
    const reply = await exchange(contextWith(), (capture) =>
      fetch('http://x', withCapture(capture)),
    );
    expect(reply).toMatchObject({ kind: 'json', body: { a: 1 } });
  });

  test('does not mind an SDK that chokes on the empty answer it gets', async () => {
    const fetch = guard(async () => new Response('no', { status: 503 }));
    const reply = await exchange(contextWith(), async (capture) => {
      await fetch('http://x', withCapture(capture));
      throw new Error('choices is undefined');
    });
    expect(reply).toMatchObject({ kind: 'http-error', error: { status: 503 } });
  });

  test('tells a failed connection however the SDK wraps it', async () => {
    const cause = Object.assign(new TypeError('fetch failed'), { code: 'ECONNRESET' });
    const fetch = guard(async () => {
      throw cause;
    });
    const asking = exchange(contextWith(), (capture) =>
      fetch('http://x', withCapture(capture)).catch(() => {
        throw new Error('Connection error.');
      }),
    );
    await expect(asking).rejects.toMatchObject({ code: 'connection', cause });
  });

  test('lets through what the SDK threw before it sent anything', async () => {
    const wrong = new TypeError('model must be a string');
    await expect(exchange(contextWith(), () => Promise.reject(wrong))).rejects.toBe(wrong);
  });

  test('and what it threw at once, without a promise', async () => {
    const wrong = new TypeError('model must be a string');
    const asking = exchange(contextWith(), () => {
      throw wrong;
    });
    await expect(asking).rejects.toBe(wrong);
  });

  test('says what to do about credentials that an SDK did not find', async () => {
    const cause = new Error('no credentials in the chain');
    const asking = exchange(contextWith(), () => Promise.reject(cause), 'set them up');
    await expect(asking).rejects.toMatchObject({ code: 'auth', message: 'set them up', cause });
  });

  test('notices an SDK that goes its own way', async () => {
    const asking = exchange(contextWith(), async () => 'done');
    await expect(asking).rejects.toMatchObject({ code: 'connection' });
  });

  test("fails with the signal's reason once the attempt is over", async () => {
    const reason = new SignalboxError('timeout', 'late', { phase: 'first-token' });
    const controller = new AbortController();
    const asking = exchange(contextWith(controller.signal), async () => {
      controller.abort(reason);
      throw new Error('Request was aborted.');
    });
    await expect(asking).rejects.toBe(reason);
    let isSent = false;
    const late = exchange(contextWith(controller.signal), async () => {
      isSent = true;
    });
    await expect(late).rejects.toBe(reason);
    expect(isSent).toBe(false);
  });
});
