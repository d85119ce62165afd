import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Watch } from '../../src/protocol/provider.ts';
import { ResponseCapture } from '../../src/transport/exchange.ts';
import {
  capturingFetch,
  type Fetch,
  type GuardOptions,
  guardedFetch,
  withCapture,
} from '../../src/transport/guarded-fetch.ts';
import { readReply } from '../../src/transport/read-reply.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A server, with the requests that it received. */
async function serve(answer: Answer = (response) => response.end('{"real":true}')) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, seen };
}

/** A capture with its answer. */
function openCapture(watch: Partial<Watch> = {}, signal = new AbortController().signal) {
  const nothing: Watch = {
    connected: () => undefined,
    bytes: () => undefined,
    limits: () => undefined,
  };
  const context = { signal, key: 0, watch: { ...nothing, ...watch } };
  const capture = new ResponseCapture(context);
  const answer = capture.wait();
  answer.catch(() => undefined);
  return Object.assign(capture, { answer, watch: context.watch });
}

type OpenCapture = ReturnType<typeof openCapture>;

/** Sends a request through the guarded fetch, and waits for the vendor's answer. Returns the SDK's response. */
async function ask(options: GuardOptions, url: string, init: RequestInit, capture = openCapture()) {
  const forSdk = await guardedFetch(options)(url, { ...init, ...withCapture(capture) });
  await capture.answer;
  return forSdk;
}

/** The JSON that the vendor sent. */
async function bodyOf(capture: OpenCapture): Promise<unknown> {
  const reply = await readReply(await capture.answer, capture.watch);
  return reply.kind === 'json' ? reply.body : undefined;
}

const namesOf = (request: IncomingMessage | undefined) => Object.keys(request?.headers ?? {});

describe('headers', () => {
  const sdkHeaders = {
    accept: 'text/event-stream',
    'content-type': 'application/json',
    'user-agent': 'sdk/1',
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'some',
    authorization: 'Bearer from-the-environment',
    'openai-organization': 'org',
    'x-stainless-os': 'Linux',
    'x-custom': 'from the environment',
  };

  test('of the SDK are dropped', async () => {
    const { url, seen } = await serve();
    await ask({ headers: () => ({}) }, url, { headers: sdkHeaders });
    const names = namesOf(seen[0]);
    for (const name of Object.keys(sdkHeaders)) expect(names).not.toContain(name);
  });

  test('of the SDK are sent when they are listed in passes', async () => {
    const { url, seen } = await serve();
    const passes = ['user-agent', 'authorization', 'x-absent'];
    await ask({ headers: () => ({}), passes }, url, { headers: sdkHeaders });
    expect(seen[0]?.headers).toMatchObject({
      'user-agent': 'sdk/1',
      authorization: 'Bearer from-the-environment',
    });
    const names = namesOf(seen[0]);
    for (const name of ['openai-organization', 'x-stainless-os', 'x-custom', 'x-absent']) {
      expect(names).not.toContain(name);
    }
  });

  test('of the user override those of the SDK', async () => {
    const { url, seen } = await serve();
    const headers = async () => ({ authorization: 'Bearer my-key', 'x-team': 'a' });
    await ask({ headers, passes: ['authorization', 'user-agent'] }, url, { headers: sdkHeaders });
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer my-key',
      'x-team': 'a',
      'user-agent': 'sdk/1',
    });
  });

  test('are sent as they are for a client that the user made', async () => {
    const { url, seen } = await serve();
    await ask({ headers: 'as-is' }, url, { headers: sdkHeaders });
    expect(seen[0]?.headers).toMatchObject(sdkHeaders);
  });

  test('are read in every form that fetch accepts', async () => {
    const { url, seen } = await serve();
    for (const headers of [new Headers(sdkHeaders), Object.entries(sdkHeaders)]) {
      await ask({ headers: () => ({}), passes: ['user-agent'] }, url, {
        headers: headers as Headers,
      });
    }
    for (const request of seen) {
      expect(request.headers['user-agent']).toBe('sdk/1');
      expect(namesOf(request)).not.toContain('x-custom');
    }
    expect(seen).toHaveLength(2);
  });
});

describe('the answer', () => {
  test('goes to the capture, and the SDK gets an empty one', async () => {
    const { url } = await serve();
    const capture = openCapture();
    const forSdk = await guardedFetch({ headers: () => ({}) })(url, withCapture(capture));
    expect(await forSdk.json()).toEqual({});
    expect(forSdk.ok).toBe(true);
    expect(await bodyOf(capture)).toEqual({ real: true });
  });

  test('of an error goes to the capture too', async () => {
    const { url } = await serve((response) => {
      response.writeHead(429, { 'retry-after': '3' });
      response.end('{}');
    });
    const capture = openCapture();
    const forSdk = await guardedFetch({ headers: () => ({}) })(url, withCapture(capture));
    expect(forSdk.status).toBe(200);
    expect((await capture.answer)?.status).toBe(429);
    expect((await capture.answer)?.headers.get('retry-after')).toBe('3');
  });

  test('does not follow redirects, so that no key goes to another host', async () => {
    const { url, seen } = await serve((response) => {
      response.writeHead(307, { location: '/elsewhere' });
      response.end();
    });
    const capture = openCapture();
    await guardedFetch({ headers: () => ({ authorization: 'Bearer my-key' }) })(url, {
      method: 'POST',
      body: '{}',
      ...withCapture(capture),
    });
    expect(await capture.answer).toMatchObject({ status: 307 });
    expect(seen.map((request) => request.url)).toEqual(['/v1']);
  });

  test('rejects the capture when the connection fails', async () => {
    const { url } = await serve((response) => response.destroy());
    const capture = openCapture();
    await guardedFetch({ headers: () => ({}) })(url, withCapture(capture));
    await expect(capture.answer).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  test('is aborted when the attempt ends, whatever signal the SDK passes', async () => {
    const controller = new AbortController();
    const { url } = await serve(() => controller.abort(new Error('enough')));
    const capture = openCapture({}, controller.signal);
    const sending = guardedFetch({ headers: () => ({}) })(url, {
      signal: new AbortController().signal,
      ...withCapture(capture),
    });
    await sending;
    await expect(capture.answer).rejects.toThrow('enough');
  });
});

describe('the connect timeout', () => {
  test('ends when the request is on a socket, before any header arrives', async () => {
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const { url } = await serve((response) => {
      void connected.then(() => response.end('{}'));
    });
    const capture = openCapture({ connected: resolve });
    await guardedFetch({ headers: () => ({}) })(url, withCapture(capture));
    expect((await capture.answer)?.status).toBe(200);
  });

  test('does not end when nothing listens on the port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const connected = vi.fn();
    const capture = openCapture({ connected });
    await guardedFetch({ headers: () => ({}) })(`http://127.0.0.1:${port}`, withCapture(capture));
    await expect(capture.answer).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(connected).not.toHaveBeenCalled();
  });

  test('ends immediately with the fetch of the user', async () => {
    const connected = vi.fn();
    const own: Fetch = async () => {
      expect(connected).toHaveBeenCalledOnce();
      return new Response('{}');
    };
    await guardedFetch({ headers: () => ({}), fetch: own })(
      'http://x',
      withCapture(openCapture({ connected })),
    );
    expect(connected).toHaveBeenCalledOnce();
  });
});

describe("the user's own fetch", () => {
  test('gets only the request', async () => {
    const own = vi.fn<Fetch>(async () => new Response('{}'));
    const { signal } = new AbortController();
    const capture = openCapture({}, signal);
    await guardedFetch({ headers: () => ({ 'x-key': 'k' }), fetch: own })('http://x/v1', {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'x-stainless-os': 'Linux' },
      ...withCapture(capture),
    });
    const [url, init] = own.mock.calls[0] ?? [];
    expect(url).toBe('http://x/v1');
    expect(new Set(Reflect.ownKeys(init ?? {}))).toEqual(
      new Set(['method', 'body', 'headers', 'redirect', 'signal']),
    );
    expect(init).toMatchObject({ method: 'POST', body: '{"a":1}', redirect: 'manual' });
    expect(init?.signal).toBe(signal);
    expect([...new Headers(init?.headers)]).toEqual([['x-key', 'k']]);
  });

  test('that ignores the signal does not delay the abort, and its late answer is closed', async () => {
    const { promise: late, resolve } = Promise.withResolvers<Response>();
    const cancelled = Promise.withResolvers<void>();
    const body = new ReadableStream({ cancel: () => cancelled.resolve() });
    const controller = new AbortController();
    const capture = openCapture({}, controller.signal);
    await guardedFetch({ headers: () => ({}), fetch: () => late })(
      'http://x',
      withCapture(capture),
    );
    controller.abort(new Error('enough'));
    await expect(capture.answer).rejects.toThrow('enough');
    resolve(new Response(body));
    await cancelled.promise;
  });

  test('rejects the capture when it throws synchronously', async () => {
    const reason = new Error('no proxy');
    const own: Fetch = () => {
      throw reason;
    };
    const capture = openCapture();
    await guardedFetch({ headers: () => ({}), fetch: own })('http://x', withCapture(capture));
    await expect(capture.answer).rejects.toBe(reason);
  });
});

describe('a request without a capture', () => {
  test('passes through untouched', async () => {
    const answer = new Response('token');
    const own = vi.fn<Fetch>(async () => answer);
    const guard = guardedFetch({ headers: () => ({ 'x-key': 'k' }), fetch: own });
    const init = { headers: { metadata: 'yes' } };
    expect(await guard('http://metadata', init)).toBe(answer);
    expect(own.mock.calls[0]?.[1]).toBe(init);
    await guard('http://metadata');
    expect(own.mock.calls[1]).toEqual(['http://metadata', undefined]);
  });
});

test('a capturing fetch carries its capture with every request', async () => {
  const own = vi.fn<Fetch>(async () => new Response('{"real":true}'));
  const capture = openCapture();
  const fetch = capturingFetch(guardedFetch({ headers: () => ({}), fetch: own }), capture);
  await fetch('http://x', { method: 'POST' });
  expect(own.mock.calls[0]?.[1]).toMatchObject({ method: 'POST' });
  expect(await bodyOf(capture)).toEqual({ real: true });
});

test('a body that is already locked fails only the attempt', async () => {
  const fetch: Fetch = async () => {
    const response = new Response('{}');
    response.body?.getReader();
    return response;
  };
  await expect(ask({ headers: () => ({}), fetch }, 'http://127.0.0.1:1/v1', {})).rejects.toThrow(
    'locked',
  );
});
