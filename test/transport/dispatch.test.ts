import { describe, expect, it } from 'vitest';
import { dispatchRequest } from '../../src/transport/dispatch.ts';
import { ResponseCapture } from '../../src/transport/exchange.ts';

type Handler = {
  onRequestStart(controller: object): void;
  onResponseStart(controller: object, status: number, headers: object): void;
  onResponseData(controller: object, chunk: Uint8Array): void;
  onResponseEnd(controller: object, trailers: object): void;
};

/** Sends a request through a dispatcher that records it. */
function dispatched(url: string) {
  const sent: { options?: object; handler?: Handler } = {};
  const dispatcher = {
    dispatch(options: object, handler: object) {
      sent.options = options;
      sent.handler = handler as Handler;
      return true;
    },
  };
  const { signal } = new AbortController();
  const watch = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };
  const capture = new ResponseCapture({ signal, watch, key: 0 });
  const answer = capture.wait();
  const headers = { 'x-key': 'k' };
  dispatchRequest(dispatcher, { url, method: 'POST', headers, body: '{}' }, capture);
  return { answer, options: sent.options, handler: sent.handler as Handler };
}

describe('a request through a dispatcher', () => {
  it('has the origin and path of its URL', () => {
    const paths = ['http://a/v1?x=1', 'http://b:8080/v2', 'http://a/v1?x=1'].map((url) =>
      Reflect.get(dispatched(url).options ?? {}, 'path'),
    );
    expect(paths).toEqual(['/v1?x=1', '/v2', '/v1?x=1']);
    expect(dispatched('http://b:8080/v2').options).toMatchObject({ origin: 'http://b:8080' });
  });

  it('skips informational responses', async () => {
    const { answer, handler } = dispatched('http://a/');
    const controller = { abort: () => undefined };
    handler.onRequestStart(controller);
    handler.onResponseStart(controller, 103, {});
    handler.onResponseStart(controller, 200, { 'x-request-id': 'r' });
    handler.onResponseEnd(controller, {});
    expect(await answer).toMatchObject({ status: 200 });
    expect((await answer).headers.get('x-request-id')).toBe('r');
  });

  /** An unread body, and the calls of its controller. */
  async function openBody() {
    const { answer, handler } = dispatched('http://a/');
    const calls: string[] = [];
    const controller = {
      abort: () => void calls.push('abort'),
      pause: () => void calls.push('pause'),
      resume: () => void calls.push('resume'),
    };
    handler.onRequestStart(controller);
    handler.onResponseStart(controller, 200, {});
    const { body } = await answer;
    const push = (chunk: Uint8Array) => handler.onResponseData(controller, chunk);
    /** Adds chunks until the socket is paused. Returns their number. */
    const fill = (length: number): number => {
      for (let count = 1; count < 1_000_000; count++) {
        push(new Uint8Array(length));
        if (calls.at(-1) === 'pause') return count;
      }
      return Number.POSITIVE_INFINITY;
    };
    return { body, calls, fill };
  }

  it.each([1, 100, 10_000])('buffers %d-byte chunks up to a limit', async (length) => {
    const { fill } = await openBody();
    const count = fill(length);
    // Includes the memory overhead of each chunk.
    expect(count * (length + 128)).toBeGreaterThan(65_536);
    expect((count - 1) * (length + 128)).toBeLessThanOrEqual(65_536);
  });

  it('resumes the socket each time the buffer has been read', async () => {
    const { body, calls, fill } = await openBody();
    for (let round = 1; round < 4; round++) {
      const count = fill(1_000);
      expect(count).toBe(Math.floor(65_536 / 1_128) + 1);
      for (let read = 1; read < count; read++) expect(body.read()).toHaveLength(1_000);
      expect(calls.at(-1)).toBe('pause');
      expect(body.read()).toHaveLength(1_000);
      expect(calls).toHaveLength(2 * round);
      expect(calls.at(-1)).toBe('resume');
    }
    expect(body.read()).toBeInstanceOf(Promise);
    body.cancel();
    expect(calls.at(-1)).toBe('abort');
  });
});
