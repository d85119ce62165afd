import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { httpSource } from '../../src/config.ts';
import type { ConfigSource, EventName, EventOf } from '../../src/index.ts';
import { createRouter } from '../../src/router.ts';
import { systemRuntime } from '../../src/runtime.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import {
  type ScriptedServer,
  type SeenRequest,
  startScriptedServer,
} from '../support/scripted-server.ts';

let server: ScriptedServer | undefined;
afterEach(() => server?.stop());

const json = { 'content-type': 'application/json' };
const document = (model: string): string => JSON.stringify({ tiers: { t: [`p/${model}`] } });

async function serve(answer: (response: ServerResponse, request: SeenRequest) => void) {
  server = await startScriptedServer(answer);
  return server;
}

function setUp(runtime = systemRuntime) {
  const router = createRouter({
    providers: { p: fakeProvider() },
    tiers: { t: ['p/m0'] },
    runtime,
  });
  const target = () => Object.keys(router.snapshot().targets)[0];
  const next = <Name extends EventName>(name: Name) =>
    new Promise<EventOf<Name>>((resolve) => router.once(name, resolve));
  return { router, target, next };
}

/** The error of following a source that must fail. */
async function failureOf(source: ConfigSource): Promise<string> {
  const { router } = setUp();
  const error = await router.follow(source).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  await router.close();
  return error instanceof Error ? error.message : 'none';
}

describe('httpSource', () => {
  it('sends its headers, and transfers a document again only when it has changed', async () => {
    let etag = '"1"';
    let unchanged = Promise.withResolvers<void>();
    const { url, seen } = await serve((response, { headers }) => {
      if (headers['if-none-match'] === etag) {
        response.writeHead(304).end();
        unchanged.resolve();
      } else response.writeHead(200, { ...json, etag }).end(document(`m${etag[1]}`));
    });
    const { router, target, next } = setUp();
    const headers = { authorization: 'Bearer secret' };
    await router.follow(httpSource(`${url}/routing?token=secret`, { headers, everyMs: 10 }));
    expect(target()).toBe('p/m1');
    await unchanged.promise;
    const changed = next('config-change');
    etag = '"2"';
    const { source } = await changed;
    expect(source).toBe(`${new URL(url).origin}/routing`);
    expect(target()).toBe('p/m2');
    unchanged = Promise.withResolvers();
    await unchanged.promise;
    expect(new Set(seen.map((each) => each.headers.authorization))).toEqual(
      new Set(['Bearer secret']),
    );
    await router.close();
  });

  it.each([
    ['by the content type', { 'content-type': 'application/yaml' }, '/x'],
    ['by the end of the path', {}, '/routing.yaml'],
  ])('reads YAML %s, and reports lines', async (_, headers, path) => {
    let text = 'tiers:\n  t: [p/m1]\n';
    const { url } = await serve((response) => response.writeHead(200, headers).end(text));
    const { router, target, next } = setUp();
    await router.follow(httpSource(`${url}${path}`, { everyMs: 10 }));
    expect(target()).toBe('p/m1');
    const rejected = next('config-rejected');
    text = 'tiers:\n  t: [q/m1]\n';
    expect((await rejected).problems).toMatchObject([{ path: 'tiers.t.targets[0]', line: 2 }]);
    await router.close();
  });

  it('asks less and less often while it fails, reports a failure once, and recovers', async () => {
    let status = 200;
    const { url, seen } = await serve((response) =>
      response.writeHead(status, json).end(status === 200 ? document('m1') : 'no'),
    );
    const timeoutMs = 60_000;
    const pauses: number[] = [];
    const { router, next } = setUp({
      ...systemRuntime,
      sleep(ms, signal) {
        if (ms === timeoutMs) return systemRuntime.sleep(ms, signal);
        pauses.push(ms);
        return systemRuntime.sleep(5, signal);
      },
    });
    let rejections = 0;
    router.on('config-rejected', () => {
      rejections += 1;
    });
    await router.follow(httpSource(url, { everyMs: 100, timeoutMs }));
    const rejected = next('config-rejected');
    status = 503;
    expect((await rejected).error.message).toContain('HTTP 503');
    const start = pauses.length;
    await expect.poll(() => pauses.length).toBeGreaterThan(start + 6);
    expect(rejections).toBe(1);
    const slow = pauses.slice(start + 5);
    expect(Math.min(...slow)).toBeGreaterThanOrEqual(1_600 * 0.8);
    expect(Math.max(...slow)).toBeLessThanOrEqual(1_600 * 1.2);
    status = 200;
    const before = seen.length;
    await expect.poll(() => seen.length).toBeGreaterThan(before + 2);
    await expect.poll(() => pauses.at(-1)).toBeLessThanOrEqual(120);
    await router.close();
  });

  it('refuses a document of more than 1 MB without reading all of it', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, json);
      const chunk = ' '.repeat(100_000);
      const send = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', send);
      };
      send();
    });
    expect(await failureOf(httpSource(url))).toMatch(/more than 1000000 bytes/);
  });

  it('does not follow redirects, which would receive its headers', async () => {
    const { url, seen } = await serve((response) =>
      response.writeHead(302, { location: '/elsewhere' }).end(),
    );
    expect(await failureOf(httpSource(url))).toMatch(/HTTP 302/);
    expect(seen).toHaveLength(1);
  });

  it('gives up a request that takes too long', async () => {
    const { url } = await serve(() => undefined);
    expect(await failureOf(httpSource(url, { timeoutMs: 20 }))).toMatch(/no answer within 20 ms/);
  });

  it('reports an address that cannot be reached', async () => {
    expect(await failureOf(httpSource('http://127.0.0.1:1/x?token=secret'))).toMatch(
      /http:\/\/127\.0\.0\.1:1\/x cannot be reached/,
    );
  });

  it('cannot use the environment', async () => {
    const text = JSON.stringify({ env: ['HOME'], tiers: { t: ['p/m'] } });
    const { url } = await serve((response) => response.writeHead(200, json).end(text));
    expect(await failureOf(httpSource(url))).toMatch(/env.*only a local file/);
  });

  it('aborts its request when the router closes', async () => {
    const requested = Promise.withResolvers<void>();
    let count = 0;
    const { url, closed } = await serve((response) => {
      count += 1;
      if (count === 1) response.writeHead(200, json).end(document('m1'));
      else requested.resolve();
    });
    const { router } = setUp();
    await router.follow(httpSource(url, { everyMs: 1 }));
    await requested.promise;
    const isClosed = closed();
    await router.close();
    await isClosed;
  });

  it.each(['ftp://host/x', 'routing.yaml', 'https://user:pass@host/x'])('rejects %s', (address) => {
    expect(() => httpSource(address)).toThrow(/httpSource/);
    try {
      httpSource(address);
    } catch (error) {
      expect(String(error)).not.toContain('pass@');
    }
  });
});
