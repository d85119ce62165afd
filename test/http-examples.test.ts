import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { DefaultChatTransport, readUIMessageStream, type UIMessage } from 'ai';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Job } from '../examples/http/queue-worker.ts';

const folder = new URL('../examples/http/', import.meta.url);

const recipes = {
  express: () => import('../examples/http/express.ts'),
  fastify: () => import('../examples/http/fastify.ts'),
  hono: () => import('../examples/http/hono.ts'),
};

type Name = keyof typeof recipes;

let closing: (() => Promise<unknown> | unknown)[] = [];

/** The vendors behind the recipes: new ones for each test, with a new router. */
async function setUp() {
  // Without keys, the recipes call simulated vendors.
  for (const key of ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY']) {
    vi.stubEnv(key, '');
  }
  vi.stubEnv('PORT', '0');
  vi.resetModules();
  const { close, simulators } = await import('../examples/providers.ts');
  const { router } = await import('../examples/http/router.ts');
  closing.push(() => router.close(), close);
  return simulators;
}

async function serve(name: Name) {
  const { openai, anthropic } = await setUp();
  const { server } = await recipes[name]();
  closing.unshift(() => void server.close());
  if (server.address() === null) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/chat`;
  const ask = (init: RequestInit = {}): Promise<Response> =>
    name === 'fastify'
      ? fetch(`${url}?prompt=Hello`, init)
      : fetch(url, {
          ...init,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ prompt: 'Hello' }),
        });
  return { openai, anthropic, ask };
}

afterEach(async () => {
  for (const close of closing) await close();
  closing = [];
});

const limited = { type: 'status', kind: 'rate_limited', retryAfterSeconds: 90 } as const;

function textIn(events: string): string {
  return [...events.matchAll(/"type":"text-delta","delta":"(.*?)"/g)]
    .map(([, text]) => text)
    .join('');
}

describe.each(['express', 'fastify', 'hono'] as const)('the %s recipe', (name) => {
  test('streams an answer through a failover', async () => {
    const { openai, anthropic, ask } = await serve(name);
    openai.fault({ type: 'status', status: 500 });
    anthropic.answer('Hello from Claude.');
    const response = await ask();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const body = await response.text();
    expect(textIn(body)).toBe('Hello from Claude.');
    expect(body).toMatch(/\nevent: finish\ndata: .*\n\n$/);
    expect(body).not.toMatch(/gpt|usd|trail/);
  });

  test('answers 429 with Retry-After before the first byte', async () => {
    const { openai, anthropic, ask } = await serve(name);
    for (const vendor of [openai, anthropic]) vendor.fault(limited);
    const response = await ask();
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(80);
    expect(await response.json()).toEqual({
      error: {
        code: 'all_targets_failed',
        message: 'Too many requests. Try again later.',
        retryAfterMs: expect.any(Number),
      },
    });
  });

  test('ends with an error event when the answer breaks off', async () => {
    const { openai, ask } = await serve(name);
    openai.answer({ chunks: ['Half ', 'an ', 'answer'] });
    openai.fault({ type: 'cut', afterEvents: 6 });
    const body = await (await ask()).text();
    expect(textIn(body)).toMatch(/^Half /);
    expect(body).toMatch(
      /\nevent: error\ndata: {"type":"error","code":"stream_interrupted",.*}\n\n$/,
    );
  });

  test("closes the vendor's socket when the client leaves in the middle", async () => {
    const { openai, anthropic, ask } = await serve(name);
    openai.fault({ type: 'stall', afterEvents: 6 });
    const leaving = new AbortController();
    const response = await ask({ signal: leaving.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    expect(openai.openRequests).toBe(1);
    leaving.abort();
    await expect.poll(() => openai.openRequests).toBe(0);
    expect(anthropic.log).toHaveLength(0);
  });

  test("closes the vendor's socket when the client leaves before the answer starts", async () => {
    const { openai, anthropic, ask } = await serve(name);
    openai.fault({ type: 'silence' });
    const leaving = new AbortController();
    const asking = ask({ signal: leaving.signal });
    await expect.poll(() => openai.openRequests).toBe(1);
    leaving.abort();
    await expect(asking).rejects.toThrow();
    await expect.poll(() => openai.openRequests).toBe(0);
    expect(anthropic.log).toHaveLength(0);
  });
});

test('the Fastify recipe answers an EventSource that reconnects with 204', async () => {
  const { openai, ask } = await serve('fastify');
  const response = await ask({ headers: { 'last-event-id': '1' } });
  expect(response.status).toBe(204);
  expect(openai.log).toHaveLength(0);
});

describe('the Next.js recipe', () => {
  async function post(signal?: AbortSignal) {
    const { POST } = await import('../examples/http/next-route.ts');
    const transport = new DefaultChatTransport<UIMessage>({
      api: 'http://localhost/api/chat',
      fetch: (url, init) => POST(new Request(String(url), { ...init, duplex: 'half' })),
    });
    return transport.sendMessages({
      trigger: 'submit-message',
      chatId: 'chat',
      messageId: undefined,
      messages: [{ id: '1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }],
      abortSignal: signal,
    });
  }

  test('answers the transport of useChat', async () => {
    const { openai, anthropic } = await setUp();
    openai.fault({ type: 'status', status: 500 });
    anthropic.answer('Hello from Claude.');
    let last: UIMessage | undefined;
    for await (const message of readUIMessageStream({ stream: await post() })) last = message;
    expect(last?.parts.at(-1)).toMatchObject({ type: 'text', text: 'Hello from Claude.' });
    expect(JSON.stringify(anthropic.log[0]?.body)).toContain('Hello');
  });

  test('answers 429 before the first byte', async () => {
    const { openai, anthropic } = await setUp();
    for (const vendor of [openai, anthropic]) vendor.fault(limited);
    await expect(post()).rejects.toThrow('Too many requests. Try again later.');
  });
});

describe('the queue worker', () => {
  async function workOn(...jobs: readonly Job[]): Promise<readonly string[]> {
    const { work } = await import('../examples/http/queue-worker.ts');
    const log: string[] = [];
    await work({
      async *[Symbol.asyncIterator]() {
        yield* jobs;
      },
      done: async ({ id }, text) => void log.push(`${id} done: ${text}`),
      retry: async ({ id }, delayMs) =>
        void log.push(`${id} again in ${Math.round(delayMs / 1_000)} s`),
      setAside: async ({ id }, code) => void log.push(`${id} set aside: ${code}`),
    });
    return log;
  }
  const job = { id: 'job', prompt: 'Hello', attempt: 1 };

  test('reports answers', async () => {
    const { openai } = await setUp();
    openai.answer('Hello.');
    expect(await workOn(job, job)).toEqual(['job done: Hello.', 'job done: Hello.']);
  });

  test('tries again when the vendors say, and sets aside what fails again and again', async () => {
    const { openai, anthropic } = await setUp();
    for (const vendor of [openai, anthropic]) vendor.fault(limited);
    expect(await workOn(job)).toEqual([expect.stringMatching(/^job again in (8\d|90) s$/)]);
    expect(await workOn({ ...job, attempt: 5 })).toEqual(['job set aside: all_targets_failed']);
  });

  test('sets aside what will fail again', async () => {
    const { openai, anthropic } = await setUp();
    const invalid = { type: 'status', kind: 'invalid_request' } as const;
    for (const vendor of [openai, anthropic]) vendor.fault(invalid);
    expect(await workOn(job)).toEqual(['job set aside: invalid_request']);
  });
});

test('the serverless recipe ends before the platform does', async () => {
  const { openai, anthropic } = await setUp();
  const { handler } = await import('../examples/http/serverless.ts');
  const context = (ms: number) => ({ getRemainingTimeInMillis: () => ms });
  const body = JSON.stringify({ prompt: 'Hello' });
  openai.answer('Hello.');
  expect(await handler({ body }, context(30_000))).toEqual({
    statusCode: 200,
    body: '{"text":"Hello."}',
  });
  expect(await handler({}, context(30_000))).toEqual({ statusCode: 400 });
  for (const vendor of [openai, anthropic]) vendor.fault({ type: 'silence' });
  expect(await handler({ body }, context(1_200))).toMatchObject({ statusCode: 504 });
});

test('the shutdown recipe finishes answers after SIGTERM, and then ends', async () => {
  const slow = [
    `import { simulators } from ${JSON.stringify(new URL('../providers.ts', folder).href)};`,
    "simulators.openai.answer({ chunks: Array(10).fill('word '), chunkDelayMs: 100 });",
  ].join('');
  const args = ['--import', `data:text/javascript,${encodeURIComponent(slow)}`, 'shutdown.ts'];
  const child = execFile(process.execPath, args, { cwd: folder });
  const [line] = await once(child.stdout ?? child, 'data');
  const { port } = JSON.parse(String(line).replace('listening on ', ''));
  const url = `http://127.0.0.1:${port}/`;
  const response = await fetch(url);
  child.kill('SIGTERM');
  const refused = async (): Promise<boolean> =>
    fetch(url).then(
      () => false,
      () => true,
    );
  await expect.poll(refused).toBe(true);
  expect(child.exitCode).toBe(null);
  const body = await response.text();
  expect(textIn(body)).toBe('word '.repeat(10));
  expect(body).toMatch(/\nevent: finish\n/);
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
});

test('each recipe has at most 40 lines', () => {
  for (const name of readdirSync(folder)) {
    const lines = readFileSync(new URL(name, folder), 'utf8').trimEnd().split('\n');
    expect(lines.length, name).toBeLessThanOrEqual(40);
  }
});
