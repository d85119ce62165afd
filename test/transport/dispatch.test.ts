import { describe, expect, it } from 'vitest';
import { ResponseCapture } from '../../src/transport/response-capture.ts';
import { dispatchRequest } from '../../src/transport/undici/dispatch.ts';

type Handler = {
  onRequestStart(controller: object): void;
  onResponseStart(controller: object, status: number, headers: object): void;
  onResponseData(controller: object, piece: Uint8Array): void;
  onResponseEnd(controller: object, trailers: object): void;
};

/** Sends through a dispatcher that keeps what it is asked. */
function dispatched(url: string) {
  const asked: { options?: object; handler?: Handler } = {};
  const dispatcher = {
    dispatch(options: object, handler: object) {
      asked.options = options;
      asked.handler = handler as Handler;
      return true;
    },
  };
  const { signal } = new AbortController();
  const watch = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };
  const capture = new ResponseCapture({ signal, watch, key: 0 });
  const answer = capture.wait();
  const headers = { 'x-key': 'k' };
  dispatchRequest(dispatcher, { url, method: 'POST', headers, body: '{}' }, capture);
  return { answer, options: asked.options, handler: asked.handler as Handler };
}

describe('a request through a dispatcher', () => {
  it('goes to its address, whichever came before', () => {
    const places = ['http://a/v1?x=1', 'http://b:8080/v2', 'http://a/v1?x=1'].map((url) =>
      Reflect.get(dispatched(url).options ?? {}, 'path'),
    );
    expect(places).toEqual(['/v1?x=1', '/v2', '/v1?x=1']);
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

  /** A body that nobody reads yet, and what the socket is told. */
  async function openBody() {
    const { answer, handler } = dispatched('http://a/');
    const told: string[] = [];
    const controller = {
      abort: () => void told.push('abort'),
      pause: () => void told.push('pause'),
      resume: () => void told.push('resume'),
    };
    handler.onRequestStart(controller);
    handler.onResponseStart(controller, 200, {});
    const { body } = await answer;
    const take = (piece: Uint8Array) => handler.onResponseData(controller, piece);
    /** Takes pieces until the socket is told to wait; how many that were. */
    const fill = (length: number): number => {
      for (let count = 1; count < 1_000_000; count++) {
        take(new Uint8Array(length));
        if (told.at(-1) === 'pause') return count;
      }
      return Number.POSITIVE_INFINITY;
    };
    return { body, told, fill };
  }

  it.each([1, 100, 10_000])('lets %d-byte pieces wait up to a bound', async (length) => {
    const { fill } = await openBody();
    const count = fill(length);
    // What an object for each piece takes counts as well.
    expect(count * (length + 128)).toBeGreaterThan(65_536);
    expect((count - 1) * (length + 128)).toBeLessThanOrEqual(65_536);
  });

  it('lets the socket go on once all that waited is read, each time anew', async () => {
    const { body, told, fill } = await openBody();
    for (let round = 1; round < 4; round++) {
      const count = fill(1_000);
      expect(count).toBe(Math.floor(65_536 / 1_128) + 1);
      for (let read = 1; read < count; read++) expect(body.read()).toHaveLength(1_000);
      expect(told.at(-1)).toBe('pause');
      expect(body.read()).toHaveLength(1_000);
      expect(told).toHaveLength(2 * round);
      expect(told.at(-1)).toBe('resume');
    }
    expect(body.read()).toBeInstanceOf(Promise);
    body.cancel();
    expect(told.at(-1)).toBe('abort');
  });
});
