import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Agent, getGlobalDispatcher, ProxyAgent, setGlobalDispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { openai } from '../../src/openai.ts';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import type { TransportSettings } from '../../src/transport/guarded-fetch.ts';
import { localhostTls } from '../support/localhost-tls.ts';
import { dispatchers } from '../support/transports.ts';
import { vendorNames, vendorsOf } from '../support/vendors.ts';

let simulators: SimulatedProviders;
const stops: (() => void)[] = [];

beforeAll(async () => {
  simulators = await simulateProviders();
});
afterAll(async () => {
  for (const stop of stops) stop();
  await simulators.close();
});

/** A TLS proxy of the simulated OpenAI, which records the HTTP version of each request. */
async function tlsServer() {
  const versions: string[] = [];
  const server = createSecureServer({ ...localhostTls, allowHTTP1: true }, (incoming, outgoing) => {
    versions.push(incoming.httpVersion);
    const { host: _host, connection: _connection, ...headers } = incoming.headers;
    const sent = Object.entries(headers).filter(([name]) => !name.startsWith(':'));
    const url = new URL(incoming.url ?? '/', simulators.openai.baseURL);
    const onward = request(
      url,
      { method: incoming.method ?? 'GET', headers: Object.fromEntries(sent) },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, {
          'content-type': answer.headers['content-type'] ?? '',
        });
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { baseURL: `https://localhost:${port}/v1`, versions };
}

/** A proxy that records the targets of its connections. */
async function proxy() {
  const targets: string[] = [];
  const server = createServer((incoming, outgoing) => {
    // Plain HTTP requests have the absolute URL.
    targets.push(incoming.url ?? '');
    const { method = 'GET', headers } = incoming;
    const onward = request(incoming.url ?? '', { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  server.on('connect', (incoming, socket) => {
    targets.push(incoming.url ?? '');
    const [host, port] = (incoming.url ?? '').split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket);
      socket.pipe(onward);
    });
    for (const end of [socket, onward]) end.on('error', () => onward.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets };
}

/** A unary answer and a stream from one target. */
async function callTwice(provider: ReturnType<typeof openai>, model = 'gpt-5.4-mini') {
  const router = createRouter({
    providers: { main: provider },
    tiers: { t: { targets: [`main/${model}`], retry: { attempts: 1 } } },
  });
  const { text } = await router.complete('t', 'hi', { transfer: 'unary' });
  const streamed = await router.stream('t', 'hi').completion;
  return [text, streamed.text];
}

describe('TLS', () => {
  const over = (baseURL: string, transport: TransportSettings = {}) =>
    callTwice(openai({ apiKey: 'test-key', baseURL, ...transport }));
  const trusting = (allowH2: boolean) =>
    new Agent({ allowH2, connect: { ca: localhostTls.cert, rejectUnauthorized: true } });

  it('rejects an untrusted certificate with the reason', async () => {
    const { baseURL, versions } = await tlsServer();
    const calling = over(baseURL);
    await expect(calling).rejects.toMatchObject({ code: 'all_targets_failed' });
    const { errors } = (await calling.catch((error: unknown) => error)) as {
      errors: readonly { code: string; message: string }[];
    };
    expect(errors[0]?.code).toBe('connection');
    expect(errors[0]?.message).toMatch(/certificate/i);
    expect(versions).toEqual([]);
  });

  it('uses the certificates of a dispatcher', async () => {
    const { baseURL, versions } = await tlsServer();
    const answers = await over(baseURL, { dispatcher: trusting(false) });
    expect(answers).toEqual([expect.stringMatching(/./), answers[0]]);
    expect(versions).toEqual(['1.1', '1.1']);
  });

  it('uses HTTP/2 when the dispatcher does', async () => {
    const { baseURL, versions } = await tlsServer();
    const answers = await over(baseURL, { dispatcher: trusting(true) });
    expect(answers).toEqual([expect.stringMatching(/./), answers[0]]);
    expect(versions).toEqual(['2.0', '2.0']);
  });
});

describe('a user dispatcher', () => {
  it.each(
    Object.keys(dispatchers).flatMap((name) => vendorNames.map((wire) => [name, wire] as const)),
  )('of %s sends the requests of the %s wire', async (name, wire) => {
    const vendor = vendorsOf(simulators, dispatchers[name]).find((each) => each.name === wire);
    if (vendor === undefined) throw new Error(`no vendor ${wire}`);
    const before = vendor.simulator.connections;
    const answers = await callTwice(vendor.provider, vendor.model);
    expect(answers).toEqual([expect.stringMatching(/./), answers[0]]);
    expect(vendor.simulator.connections - before).toBeGreaterThan(0);
  });

  it('can be a proxy', async () => {
    const { url, targets } = await proxy();
    const dispatcher = new ProxyAgent(url);
    const { baseURL } = simulators.openai;
    await callTwice(openai({ apiKey: 'test-key', baseURL, dispatcher }));
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.every((each) => each.includes(new URL(baseURL).host))).toBe(true);
  });

  it('of the whole process is used', async () => {
    const { url, targets } = await proxy();
    const before = getGlobalDispatcher();
    setGlobalDispatcher(new ProxyAgent(url));
    try {
      await callTwice(openai({ apiKey: 'test-key', baseURL: simulators.openai.baseURL }));
    } finally {
      setGlobalDispatcher(before);
    }
    expect(targets.length).toBeGreaterThan(0);
  });

  it.each([
    ['openai', openai],
    ['anthropic', anthropic],
    ['google', google],
  ] as const)('is validated by %s(), and cannot be combined with a fetch', (name, factory) => {
    expect(() => factory({ dispatcher: {} } as never)).toThrow(`${name}().dispatcher: must be`);
    const both = { dispatcher: new Agent(), fetch: globalThis.fetch };
    expect(() => factory(both)).toThrow(`${name}().dispatcher: cannot be set together with fetch`);
  });
});

describe('a proxy in the environment', () => {
  it('is used with NODE_USE_ENV_PROXY', async () => {
    const { url, targets } = await proxy();
    const program = `
      import { createRouter } from './src/index.ts';
      import { openai } from './src/openai.ts';
      const router = createRouter({
        providers: { main: openai({ apiKey: 'k', baseURL: process.env.VENDOR }) },
        tiers: { t: ['main/gpt-5.4-mini'] },
      });
      console.log((await router.complete('t', 'hi')).text);`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module-typescript', '--no-warnings', '--eval', program],
      {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: {
          PATH: process.env.PATH,
          NODE_USE_ENV_PROXY: '1',
          HTTP_PROXY: url,
          VENDOR: simulators.openai.baseURL,
        },
      },
    );
    expect(stdout.trim()).not.toBe('');
    expect(targets.length).toBeGreaterThan(0);
  });
});
