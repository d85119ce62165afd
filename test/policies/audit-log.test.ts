import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createRouter, isSignalboxError, type Plugin, SignalboxError } from '../../src/index.ts';
import { AuditChain } from '../../src/plugins/policies/audit/audit-chain.ts';
import { verifyAudit } from '../../src/plugins/policies/audit/verify-audit.ts';
import { type AuditLogOptions, auditLog } from '../../src/policies.ts';
import type { PluginParts } from '../../src/protocol/plugin.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { testPlugin } from '../../src/testing/plugin-contract.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { createRandom } from '../simulation/virtual-time.ts';
import { mapText } from '../support/plugins.ts';
import { vectorsAndImages } from '../support/vectors-and-images.ts';
import { killAuditors } from './audit-kills.ts';

const key = 'a key of at least sixteen bytes';
const directory = mkdtempSync(join(tmpdir(), 'audit-'));
let count = 0;
let file = '';

beforeEach(() => {
  count += 1;
  file = join(directory, `audit-${count}.jsonl`);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Setting = { readonly script?: FakeScript; readonly inside?: readonly Plugin[] };

function setUp(options: AuditLogOptions, { script = 'fine', inside = [] }: Setting = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const router = createRouter({
    runtime,
    providers: { a: fakeProvider(script, { runtime }), v: vectorsAndImages().provider },
    prices: { 'a/m': { input: 1, output: 1 } },
    tiers: { t: { targets: ['a/m'], retry: { attempts: 1 } }, other: ['a/m'], v: ['v/m'] },
    plugins: [auditLog(options), ...inside],
  });
  return { router, runtime, events: recordEvents(router) };
}

/** A log in memory. */
function inMemory(options: Omit<AuditLogOptions, 'file' | 'write'> = {}) {
  let text = '';
  const write = (lines: string): void => {
    text += lines;
  };
  const log = { options: { ...options, write }, text: () => text, records: () => recordsIn(text) };
  return log;
}

function recordsIn(text: string) {
  const records = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  return records.filter((record) => !('signalbox-audit' in record));
}

async function failureOf(call: Promise<unknown>): Promise<SignalboxError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isSignalboxError(error)) throw new Error('must fail with a SignalboxError');
  return error;
}

function files(): readonly string[] {
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => path.startsWith(file) && !path.endsWith('.lock'));
}

function verified(head?: string) {
  const [lines, mac = ''] = head?.split(':') ?? [];
  const wanted = lines === undefined ? undefined : { lines: Number(lines), mac };
  return verifyAudit(files(), new AuditChain(key), { head: wanted });
}

describe('the lines of an audit log', () => {
  it('say who called what, and what it cost', async () => {
    const log = inMemory();
    const { router } = setUp(log.options);
    const { callId, cost } = await router.complete('t', 'hi', { tags: { user: 'ann' } });
    expect(log.records()).toEqual([
      {
        n: 2,
        at: '2026-01-01T00:00:00.000Z',
        call: callId,
        tags: { user: 'ann' },
        ...{ kind: 'chat', tier: 't', mode: 'complete', status: 'ok' },
        ...{ target: 'a/m', model: 'm', finish: 'stop' },
        attempts: [{ target: 'a/m', outcome: 'ok' }],
        inputTokens: expect.any(Number),
        outputTokens: expect.any(Number),
        usd: cost.usd,
        ms: 0,
      },
    ]);
  });

  it('are there before the caller has the answer, and before a reader has its end', async () => {
    const { router } = setUp({ file, key });
    const lines = () => recordsIn(readFileSync(file, 'utf8'));
    await router.complete('t', 'hi').then(() => expect(lines()).toHaveLength(1));
    for await (const part of router.stream('t', 'hi')) {
      if (part.type === 'finish') expect(lines()).toHaveLength(2);
    }
    for await (const _ of router.stream('t', 'hi')) break;
    await router.embed('v', ['a', 'b']);
    await router.image('v', 'a cat');
    expect(lines().map(({ kind, mode, status }) => `${kind} ${mode} ${status}`)).toEqual([
      'chat complete ok',
      'chat stream ok',
      'chat stream aborted',
      'embed complete ok',
      'image complete ok',
    ]);
    await router.close();
  });

  it('are there for blocked and failed calls, with the verdicts and the code', async () => {
    const log = inMemory();
    const guard: Plugin = {
      name: 'guard',
      onRequest: (request, call) => {
        if (call.tier === 'other') return { block: { rule: 'not-here' } };
        call.verdict({ kind: 'flag', rule: 'odd', counts: { score: 2 } });
        return request;
      },
    };
    const error = new SignalboxError('invalid_request', 'bad', { status: 400 });
    const { router } = setUp(log.options, { inside: [guard], script: { error } });
    await failureOf(router.complete('other', 'hi'));
    await failureOf(router.complete('t', 'hi'));
    expect(log.records()).toMatchObject([
      {
        status: 'error',
        error: { code: 'policy_blocked', policy: 'guard', rule: 'not-here' },
        verdicts: [{ policy: 'guard', kind: 'block', rule: 'not-here' }],
        ...{ attempts: [], usd: 0 },
      },
      {
        status: 'error',
        error: { code: 'invalid_request', status: 400 },
        verdicts: [{ policy: 'guard', kind: 'flag', rule: 'odd', counts: { score: 2 } }],
        attempts: [{ target: 'a/m', outcome: 'error', code: 'invalid_request' }],
      },
    ]);
  });

  it('are there for hits of a cache, and for calls that plugins make', async () => {
    const log = inMemory();
    const entries = new Map<string, PluginParts>();
    const cache: Plugin = {
      name: 'cache',
      async *wrapCall(call, next) {
        if (call.parent === undefined) await call.ask('other', 'may I?');
        const hit = entries.get(call.tier);
        if (hit !== undefined) {
          yield hit;
          return;
        }
        for await (const parts of next()) {
          const cached = parts.map((part) =>
            part.type === 'finish'
              ? { ...part, completion: { ...part.completion, cached: true as const } }
              : part,
          );
          entries.set(call.tier, [...(entries.get(call.tier) ?? []), ...cached]);
          yield parts;
        }
      },
    };
    const { router } = setUp(log.options, { inside: [cache] });
    await router.complete('t', 'hi');
    const { callId } = await router.complete('t', 'hi');
    expect(log.records()).toMatchObject([
      { tier: 'other', parent: 'call_1' },
      { tier: 't', attempts: [{}], usd: expect.any(Number) },
      { tier: 'other', parent: callId },
      {
        tier: 't',
        call: callId,
        target: 'a/m',
        cached: true,
        attempts: [],
        usd: 0,
        inputTokens: 0,
      },
    ]);
  });

  it('name the tools that were called, but none that the model made up', async () => {
    const log = inMemory();
    const toolCalls = ['pay', 'drop', 'ask'].map((name) => ({ id: name, name, input: {} }));
    const guard: Plugin = {
      name: 'tools',
      onToolCall: ({ name }) => (name === 'drop' ? { deny: 'destructive' } : 'allow'),
      onParts: () => ({
        parts: (batch) =>
          JSON.parse(JSON.stringify(batch).replaceAll('"name":"ask"', '"name":"my secret"')),
      }),
    };
    const { router } = setUp(log.options, { inside: [guard], script: { toolCalls } });
    const tools = ['pay', 'drop', 'ask'].map((name) => ({ name, inputSchema: z.object({}) }));
    await router.complete('t', 'hi', { tools });
    expect(log.records()[0]).toMatchObject({
      tools: [
        { name: 'pay' },
        { name: 'drop', denied: { plugin: 'tools', rule: 'destructive' } },
        { name: '(not offered)' },
      ],
      verdicts: [{ kind: 'deny' }],
    });
  });

  it('stay single lines of moderate size, whatever the tags hold', async () => {
    const log = inMemory({ key });
    const { router } = setUp(log.options);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`tag ${n}`, 'x']));
    const hostile = { user: 'a\n{"n":1}\r\u2028\u2029\u0085\ud800"', big: 'x'.repeat(1e6) };
    await router.complete('t', 'hi', { tags: { ...hostile, ...many } });
    expect(log.text().split(/[\n\r\u2028\u2029\u0085]/)).toHaveLength(3);
    expect(log.text().length).toBeLessThan(10_000);
    const { tags } = log.records()[0];
    expect(tags.user).toBe(hostile.user);
    expect(tags.big).toHaveLength(1001);
  });
});

describe('content in an audit log', () => {
  const canary = 'zq-canary-417';
  const hide: Plugin = {
    name: 'hide',
    redacts: true,
    onRequest: (request) =>
      JSON.stringify(request).includes(canary)
        ? mapText(request, (text) => text.replaceAll(canary, '<1>'))
        : request,
    onParts: () => ({
      parts: (batch) => JSON.parse(JSON.stringify(batch).replaceAll('<1>', canary)),
    }),
  };
  const script = { text: 'you said <1>' };
  const ask = `my secret is ${canary}`;

  it.each([{}, { content: 'none' }, { content: 'hash', key }] as const)(
    'is not there with %o',
    async (options) => {
      const log = inMemory(options);
      const { router } = setUp(log.options, { inside: [hide], script });
      const answer = await router.complete('t', ask, { system: canary });
      expect(answer.text).toContain(canary);
      await router.embed('v', [canary]);
      await router.image('v', canary);
      for await (const _ of router.stream('t', ask)) break;
      expect(log.records()).toHaveLength(4);
      for (const secret of [canary, 'secret is', 'you said', key]) {
        expect(log.text()).not.toContain(secret);
      }
    },
  );

  it('is hashed with the key, the same for the same content', async () => {
    const log = inMemory({ content: 'hash', key });
    const { router } = setUp(log.options);
    for (const prompt of ['hi', 'hi', 'ho']) await router.complete('t', prompt);
    const [one, two, three] = log.records().map(({ content }) => content);
    expect(one).toEqual(two);
    expect(one.request).toMatch(/^[0-9a-f]{64}$/);
    expect([one.request !== three.request, one.answer]).toEqual([true, three.answer]);
    const other = inMemory({ content: 'hash', key: `${key}2` });
    await setUp(other.options).router.complete('t', 'hi');
    expect(other.records()[0].content.request).not.toBe(one.request);
  });

  it('is what the vendor got and sent with `redacted`', async () => {
    const log = inMemory({ content: 'redacted' });
    const { router } = setUp(log.options, { inside: [hide], script });
    const url = 'https://me:pass@example.com/cat.png?token=1';
    const content = [
      { type: 'text', text: ask },
      { type: 'image', source: { url } },
      { type: 'file', source: { data: 'UERG', mediaType: 'application/pdf' } },
    ] as const;
    await router.complete('t', [{ role: 'user', content }]);
    expect(log.records()[0].content).toEqual({
      request: {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'my secret is <1>' },
              { type: 'image', source: { url: 'https://example.com/cat.png' } },
              {
                type: 'file',
                source: { mediaType: 'application/pdf', length: 4, sha256: expect.any(String) },
              },
            ],
          },
        ],
      },
      answer: [{ type: 'text', text: 'you said <1>' }],
    });
    expect(log.text()).not.toContain(canary);
  });

  it('of a call that was blocked before it was redacted is not there', async () => {
    const log = inMemory({ content: 'redacted' });
    const block: Plugin = { name: 'block', onRequest: () => ({ block: { rule: 'no' } }) };
    const { router } = setUp(log.options, { inside: [block, hide] });
    await failureOf(router.complete('t', ask));
    expect(log.records()).toHaveLength(1);
    expect(log.text()).not.toContain(canary);
  });

  it.each<[string, readonly Plugin[]]>([
    ['no plugin redacts', []],
    ['it fails open', [{ ...hide, failOpen: true }]],
    ['a tier is exempt from it', [{ ...hide, exceptTiers: ['other'] }]],
  ])('cannot be `redacted` when %s', (_, inside) => {
    expect(() => setUp(inMemory({ content: 'redacted' }).options, { inside })).toThrow(
      /auditLog: content: 'redacted' requires a plugin that redacts/,
    );
  });
});

describe('an audit log in a file', () => {
  it('goes on after a restart, and where a crash cut a line', async () => {
    for (let run = 0; run < 3; run++) {
      const { router, events } = setUp({ file, key });
      await router.complete('t', 'hi');
      await router.close();
      expect(verified(events.of('audit-head').at(-1)?.head)).toMatchObject({
        lines: run + 2,
        problems: [],
      });
      if (run === 1) {
        writeFileSync(file, '{"n":4,"at":"20', { flag: 'a' });
        expect(verified()).toMatchObject({ problems: [], cutLine: { line: 4 } });
      }
    }
  });

  it.each(['', '{"signalbox-au'])(
    'goes on where a crash left %o of the first line',
    async (left) => {
      writeFileSync(file, left);
      const { router } = setUp({ file, key });
      await router.complete('t', 'hi');
      await router.close();
      expect(verified()).toMatchObject({ lines: 2, problems: [] });
    },
  );

  it('is rotated, and one chain over all files', async () => {
    const { router, events } = setUp({ file, key, maxFileBytes: 2000 });
    for (let call = 0; call < 30; call++) await router.complete('t', 'hi');
    await router.close();
    expect(files().length).toBeGreaterThan(4);
    const heads = events.of('audit-head');
    expect(heads).toHaveLength(files().length);
    const report = verified(heads.at(-1)?.head);
    expect(report).toMatchObject({ problems: [], lines: 30 + files().length });
    for (const path of files()) {
      if (path !== file) expect(readFileSync(path).length).toBeLessThanOrEqual(2000);
      const others = files().filter((each) => each !== path);
      const head = { lines: report.head.lines, mac: report.head.mac };
      expect(verifyAudit(others, new AuditChain(key), { head }).problems, path).not.toEqual([]);
    }
    // A process that ended while it rotated the file.
    rmSync(file);
    const next = setUp({ file, key, maxFileBytes: 2000 });
    await next.router.complete('t', 'hi');
    await next.router.close();
    expect(verified().problems).toEqual([]);
  });

  it('emits its head every 1,000 lines and at the end', async () => {
    const log = inMemory({ key });
    const { router, events } = setUp(log.options);
    await Promise.all(Array.from({ length: 990 }, () => router.complete('t', 'hi')));
    for (let call = 0; call < 15; call++) await router.complete('t', 'hi');
    await router.close();
    expect(events.of('audit-head').map(({ lines }) => lines)).toEqual([1000, 1006]);
    expect(events.of('audit-head')[0]).toMatchObject({ policy: 'audit', callId: null });
  });

  it('has one owner, and the other fails before it sends anything', async () => {
    const first = setUp({ file, key });
    await first.router.complete('t', 'hi');
    const second = setUp({ file, key });
    const error = await failureOf(second.router.complete('t', 'hi'));
    expect(error).toMatchObject({ code: 'plugin_failed', policy: 'audit', trail: [] });
    expect(String(error.cause)).toMatch(/auditLog: .* is open in this process already/);
    await first.router.close();
    expect((await second.router.complete('t', 'hi')).text).toBe('fine');
    await second.router.close();
    expect(verified().problems).toEqual([]);
  });

  it('can be of several routers', async () => {
    const plugin = auditLog({ file, key });
    const routers = [1, 2].map(() =>
      createRouter({
        providers: { a: fakeProvider('fine') },
        tiers: { t: ['a/m'] },
        plugins: [plugin],
      }),
    );
    for (const router of routers) {
      await router.complete('t', 'hi');
      await router.close();
    }
    expect(verified()).toMatchObject({ lines: 3, problems: [] });
  });

  it.each<[string, string, RegExp]>([
    ['is no log', 'precious data', /is not an audit log; nothing is written to it/],
    ['is no log', 'precious\ndata\n', /is not an audit log of this version with this key/],
  ])('refuses a file that %s', async (_, text, problem) => {
    writeFileSync(file, text);
    const { router } = setUp({ file, key });
    expect(String((await failureOf(router.complete('t', 'hi'))).cause)).toMatch(problem);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('refuses a log of another key, and one whose last line break was changed', async () => {
    const { router } = setUp({ file, key });
    await router.complete('t', 'hi');
    await router.close();
    const other = setUp({ file, key: `${key}2` });
    expect(String((await failureOf(other.router.complete('t', 'hi'))).cause)).toMatch(
      /with this key/,
    );
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = 11;
    writeFileSync(file, bytes);
    expect(verified().problems).toHaveLength(1);
    const again = setUp({ file, key });
    const error = await failureOf(again.router.complete('t', 'hi'));
    expect(String(error.cause)).toMatch(/is damaged after its last line/);
  });

  it('syncs lines that come together, and each before its answer', async () => {
    const { router } = setUp({ file, key, fsync: true, maxFileBytes: 3000 });
    const real = createRouter({
      providers: { a: fakeProvider('fine') },
      tiers: { t: ['a/m'] },
      plugins: [auditLog({ file, key, fsync: true, maxFileBytes: 3000 })],
    });
    await Promise.all(Array.from({ length: 40 }, () => real.complete('t', 'hi')));
    await real.close();
    await router.close();
    expect(
      recordsIn(
        files()
          .map((path) => readFileSync(path, 'utf8'))
          .join(''),
      ),
    ).toHaveLength(40);
    expect(verified().problems).toEqual([]);
  });

  it('loses no line of an answer by kill -9', { timeout: 300_000 }, async () => {
    const { violations, lines } = await killAuditors(file, 3, 300, createRandom(3));
    expect(violations).toEqual([]);
    expect(lines).toBeGreaterThan(100);
  });

  it.skipIf(!existsSync('/dev/full'))('fails calls while the disk is full', async () => {
    const { router } = setUp({ file: '/dev/full', key });
    const error = await failureOf(router.complete('t', 'hi'));
    expect(error).toMatchObject({ code: 'plugin_failed', policy: 'audit' });
    rmSync('/dev/full.lock', { force: true });
  });
});

describe('a sink that fails', () => {
  it('fails the call; the log goes on without the line, and counts it', async () => {
    let isFull = false;
    let text = '';
    const write = (lines: string): void => {
      if (isFull) throw new Error('disk full');
      text += lines;
    };
    const { router } = setUp({ write, key });
    await router.complete('t', 'hi');
    isFull = true;
    for (let call = 0; call < 3; call++) {
      const error = await failureOf(router.complete('t', 'hi'));
      expect(error).toMatchObject({ code: 'plugin_failed', policy: 'audit' });
    }
    isFull = false;
    await router.complete('t', 'hi');
    writeFileSync(file, text);
    expect(verified()).toMatchObject({ lines: 3, problems: [] });
    expect(recordsIn(text).map(({ lost }) => lost)).toEqual([undefined, 3]);
  });

  it('lets calls pass with failOpen', async () => {
    const write = (): never => {
      throw new Error('disk full');
    };
    const { router } = setUp({ write, failOpen: true });
    expect((await router.complete('t', 'hi')).text).toBe('fine');
  });

  it('that is slow slows calls down, and loses none', async () => {
    let text = '';
    let writing = 0;
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const write = async (lines: string): Promise<void> => {
      writing += 1;
      expect(writing).toBe(1);
      await opened;
      text += lines;
      writing -= 1;
    };
    const router = createRouter({
      providers: { a: fakeProvider('fine') },
      tiers: { t: ['a/m'] },
      plugins: [auditLog({ write, key })],
    });
    let answered = 0;
    const calls = Array.from({ length: 50 }, () =>
      router.complete('t', 'hi').then(() => {
        answered += 1;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(answered).toBe(0);
    open();
    await Promise.all(calls);
    expect(recordsIn(text)).toHaveLength(50);
    writeFileSync(file, text);
    expect(verified()).toMatchObject({ lines: 51, problems: [] });
    await router.close();
  });
});

describe('auditLog', () => {
  it.each<[object, RegExp]>([
    [{}, /either file or write is required, and not both/],
    [{ file: 'a', write: () => undefined }, /and not both/],
    [{ file: '' }, /file must be the path of a file/],
    [{ file: 'a', contents: 'hash' }, /no option "contents"; did you mean "content"\?/],
    [{ file: 'a', content: 'all' }, /content must be/],
    [{ file: 'a', content: 'hash' }, /requires key/],
    [{ file: 'a', key: 'short' }, /at least 16 bytes/],
    [{ file: 'a', key: 7 }, /key must be a string or bytes/],
    [{ file: 'a', maxFileBytes: 10 }, /at least 1000/],
    [{ write: () => undefined, fsync: true }, /apply to file only/],
  ])('rejects %o', (options, message) => {
    expect(() => auditLog(options as AuditLogOptions)).toThrow(message);
  });

  it('opens nothing before a call', () => {
    setUp({ file, key });
    expect(existsSync(file)).toBe(false);
  });

  const plugin = () => auditLog({ ...inMemory({ key }).options, content: 'hash' });
  for (const { name, run } of testPlugin({ plugin })) it(`keeps the contract: ${name}`, run);
  const inFile = () => auditLog({ file: join(directory, `contract-${count++}.jsonl`), key });
  for (const { name, run } of testPlugin({ plugin: inFile })) it(`in a file, too: ${name}`, run);
});
