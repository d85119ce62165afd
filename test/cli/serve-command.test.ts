import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { sha256 } from '../support/served.ts';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'signalbox-serve-'));
let simulators: SimulatedProviders;
let config: string;

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

beforeAll(async () => {
  simulators = await simulateProviders();
  config = file('router.json', {
    providers: {
      vendor: {
        type: 'openaiChat',
        apiKey: `\${SERVE_TEST_KEY}`,
        baseURL: simulators.compatible.baseURL,
      },
    },
    env: ['SERVE_TEST_KEY'],
    tiers: { fast: ['vendor/llama-4'], smart: ['vendor/llama-4'] },
  });
});
afterAll(async () => {
  await simulators.close();
  rmSync(folder, { recursive: true });
});

type Running = {
  readonly child: ChildProcess;
  readonly url: string;
  readonly output: () => string;
  readonly log: () => string;
  /** Sends the signal, and returns the exit code. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<unknown>;
};

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  simulators.reset();
});

/** The command in a process. */
async function serve(...args: readonly string[]): Promise<Running> {
  const command = [join(root, 'dist', 'cli.js'), 'serve', config, '--port', '0', ...args];
  const env = { ...process.env, SERVE_TEST_KEY: 'vendor-secret' };
  const child = spawn(process.execPath, command, { env });
  children.add(child);
  let output = '';
  let log = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = once(child, 'exit');
  const url = await vi.waitFor(
    () => {
      const [, found] = /serves (\S+)\/v1/.exec(output) ?? [];
      if (found === undefined) throw new Error(log);
      return found;
    },
    { timeout: 30_000 },
  );
  return {
    ...{ child, url, output: () => output, log: () => log },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const [code] = await ended;
      return code;
    },
  };
}

function clientOf({ url }: Running, apiKey = 'unused'): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
}

const messages = [{ role: 'user', content: 'a secret prompt' } as const];
const ask = { model: 'fast', messages };

/** `undefined` at the end. */
async function nextText(
  reader: AsyncIterator<OpenAI.ChatCompletionChunk>,
): Promise<string | undefined> {
  for (;;) {
    const step = await reader.next();
    if (step.done === true) return undefined;
    const text = step.value.choices[0]?.delta.content;
    if (typeof text === 'string' && text !== '') return text;
  }
}

/** `fetch` cannot set these headers. */
async function statusWith(url: string, headers: Record<string, string>): Promise<unknown> {
  const sent = request(`${url}/v1/models`, { headers }).end();
  const [answer] = await once(sent, 'response');
  answer.resume();
  return answer.statusCode;
}

describe('signalbox serve', () => {
  it('answers programs of this machine without keys, and refuses web pages', async () => {
    const running = await serve();
    simulators.compatible.answer('Hello from the tier');
    const client = clientOf(running);
    const { choices } = await client.chat.completions.create(ask);
    expect(choices[0]?.message.content).toBe('Hello from the tier');
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toEqual(['fast', 'smart']);
    await client.chat.completions
      .create({ ...ask, model: 'sk-pasted-here' })
      .catch(() => undefined);

    const { host, port } = new URL(running.url);
    const own = { host: `localhost:${port}` };
    expect(await statusWith(running.url, own)).toBe(200);
    expect(await statusWith(running.url, { host: `[::1]:${port}` })).toBe(200);
    expect(await statusWith(running.url, { host, origin: `http://${host}` })).toBe(200);
    for (const foreign of [
      { host: 'evil.example' },
      { host: `127.0.0.1.evil.example:${port}` },
      { host: 'localhost:80:evil.example' },
      { host: `evil.example@127.0.0.1:${port}` },
      { host, origin: 'https://evil.example' },
      { host, origin: 'null' },
      { host, origin: `http://127.0.0.1:${Number(port) - 1}` },
      { host, origin: `https://${host}` },
    ]) {
      expect([foreign, await statusWith(running.url, foreign)]).toEqual([foreign, 403]);
    }
    const health = await fetch(`${running.url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);

    expect(await running.stop()).toBe(0);
    expect(running.output()).toContain(`new OpenAI({ baseURL: '${running.url}/v1'`);
    expect(running.output()).toContain('tiers: fast, smart');
    const log = running.log();
    const time = '\\d{4}-\\d{2}-\\d{2}T[\\d:.]+Z';
    const line = `POST /v1/chat/completions 200 \\d+ ms fast vendor/llama-4`;
    expect(log).toMatch(new RegExp(`^${time} ${line}$`, 'm'));
    expect(log).toMatch(/GET \/v1\/models 200 \d+ ms$/m);
    expect(log).toMatch(/POST \/v1\/chat\/completions 404 \d+ ms$/m);
    expect(log).not.toMatch(/secret|sk-pasted|unused/);
  }, 60_000);

  it('lets streams finish after a signal, up to a time', async () => {
    const running = await serve('--shutdown-ms', '8000');
    const chunks = Array.from({ length: 10 }, (_, index) => `w${index} `);
    simulators.compatible.answer({ chunks, chunkDelayMs: 60 });
    const client = clientOf(running);
    const reader = (await client.chat.completions.create({ ...ask, stream: true }))[
      Symbol.asyncIterator
    ]();
    const texts = [await nextText(reader)];
    const code = running.stop('SIGINT');
    await vi.waitFor(() => expect(running.log()).toContain('stopping'));
    await expect(client.models.list()).rejects.toThrow('Connection error');
    while (texts.at(-1) !== undefined) texts.push(await nextText(reader));
    expect(texts.join('')).toBe(chunks.join(''));
    expect(await code).toBe(0);
    expect(running.log()).toMatch(/200 \d+ ms fast vendor\/llama-4$/m);

    const hurried = await serve('--shutdown-ms', '100');
    simulators.compatible.answer({ chunks, chunkDelayMs: 5_000 });
    const cut = (await clientOf(hurried).chat.completions.create({ ...ask, stream: true }))[
      Symbol.asyncIterator
    ]();
    expect(await nextText(cut)).toBe('w0 ');
    const failure = expect(nextText(cut)).rejects.toThrow();
    expect(await hurried.stop()).toBe(0);
    await failure;
    await vi.waitFor(() => expect(simulators.compatible.openRequests).toBe(0));
  }, 60_000);

  it('with keys answers their clients only', async () => {
    const keys = file('keys.json', {
      keys: [{ sha256: sha256('sk-team'), subject: 'team', tiers: ['fast'] }],
    });
    const running = await serve('--keys', keys, '--host', '0.0.0.0');
    const { port } = new URL(running.url);
    const local = { ...running, url: `http://127.0.0.1:${port}` };
    const client = clientOf(local, 'sk-team');
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['fast']);
    await expect(clientOf(local).models.list()).rejects.toMatchObject({ status: 401 });
    await expect(client.chat.completions.create({ ...ask, model: 'smart' })).rejects.toMatchObject({
      status: 404,
    });
    expect(simulators.compatible.log).toEqual([]);
    // A sidecar is called by another name.
    const headers = { host: 'router.internal', authorization: 'Bearer sk-team' };
    expect(await statusWith(local.url, headers)).toBe(200);
    expect((await fetch(`${local.url}/health`)).status).toBe(200);
    expect(await running.stop()).toBe(0);
    expect(running.log()).not.toContain('sk-team');
  }, 60_000);

  it('says what is wrong with its arguments', async () => {
    vi.stubEnv('SERVE_TEST_KEY', 'vendor-secret');
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';
    const hash = sha256('a');
    const keysOf = (name: string, keys: unknown): string[] => [
      config,
      '--keys',
      file(`${name}.json`, keys),
    ];
    const cases: readonly (readonly [readonly string[], string])[] = [
      [[], 'a file is required'],
      [[config, '--port', port], 'the port is in use'],
      [[config, '--port', '65536'], '--port: must be a whole number from 0 to 65535'],
      [[config, '--port', '-1'], "'--port' argument is ambiguous"],
      [[config, '--shutdown-ms', 'soon'], '--shutdown-ms: must be'],
      [[config, '--host', '0.0.0.0'], '--keys is required'],
      [[config, '--host', '127.0.0.1.evil.example'], '--keys is required'],
      [[config, '--keys', join(folder, 'missing.json')], 'ENOENT'],
      [keysOf('list', []), 'must be an object'],
      [keysOf('none', { keys: [] }), 'at least one key'],
      [
        keysOf('more', { keys: [{ sha256: hash, subject: 'a' }], apiKey: 'plain-key' }),
        'nothing else',
      ],
      [keysOf('text', { keys: ['plain-key'] }), 'keys[0] must be an object'],
      [keysOf('plain', { keys: [{ key: 'plain-key', subject: 'a' }] }), 'unknown field "key"'],
      [keysOf('hash', { keys: [{ sha256: 'plain-key', subject: 'a' }] }), '64 hexadecimal digits'],
      [
        keysOf('tier', { keys: [{ sha256: hash, subject: 'a', tiers: ['fastt'] }] }),
        'there is no tier "fastt"; known are fast, smart',
      ],
      [[file('typo.json', { providers: {}, tiers: {} })], 'tiers'],
    ];
    for (const [args, message] of cases) {
      const { exitCode, problem } = await runCommand(['serve', ...args]);
      expect([args, exitCode, problem]).toEqual([args, 2, expect.stringContaining(message)]);
      expect(problem).not.toMatch(/plain-key|vendor-secret/);
    }
    taken.close();
    vi.stubEnv('SERVE_TEST_KEY', undefined);
    const unset = await runCommand(['serve', config]);
    expect(unset).toMatchObject({
      exitCode: 2,
      problem: expect.stringContaining('SERVE_TEST_KEY'),
    });
    vi.unstubAllEnvs();
    expect((await runCommand(['serve', '--help'])).output).toMatch(/^signalbox serve <file>/);
  });
});
