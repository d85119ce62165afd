import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { RouterEvent, StreamPart, Tool } from '../../src/index.ts';
import { openai } from '../../src/openai.ts';
import { type GuardToolsOptions, guardTools } from '../../src/policies.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { testPlugin } from '../../src/testing/plugin-contract.ts';
import { simulateProviders } from '../../src/testing/simulate-providers.ts';

const inputSchema = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };
const read: Tool = { name: 'db_read', inputSchema };
const write: Tool = { name: 'db_write', inputSchema };
const drop: Tool = { name: 'db_drop', inputSchema, destructive: true };
const tools = [read, write, drop];

const calling = (...names: readonly string[]): FakeScript => ({
  toolCalls: names.map((name, index) => ({ id: `${index}`, name, input: { id: 'a' } })),
});

function setUp(options: GuardToolsOptions, script: FakeScript) {
  const runtime = fakeRuntime({ time: 'auto' });
  const router = createRouter({
    runtime,
    providers: { a: fakeProvider(script, { runtime }) },
    tiers: { t: ['a/m'], admin: ['a/m'] },
    plugins: [guardTools(options)],
  });
  const verdicts: RouterEvent[] = [];
  router.on('policy-verdict', (event) => verdicts.push(event));
  return { router, runtime, verdicts };
}

/** The rule for each called tool; `ok` for those that the app gets. */
async function decided(
  options: GuardToolsOptions,
  names: readonly string[],
  { tier = 't', tags = {} }: { tier?: 't' | 'admin'; tags?: Record<string, string> } = {},
) {
  const { router } = setUp(options, calling(...names));
  const { content, toolCalls } = await router.complete(tier, 'go', { tools, tags });
  const rules = content.map((part) =>
    part.type === 'tool-call' ? (part.denied?.rule ?? 'ok') : part.type,
  );
  expect(toolCalls).toHaveLength(rules.filter((rule) => rule === 'ok').length);
  return rules;
}

describe('guardTools', () => {
  it('denies destructive tools only, if nothing is set', async () => {
    expect(await decided({}, ['db_read', 'db_write', 'db_drop'])).toEqual([
      'ok',
      'ok',
      'destructive',
    ]);
  });

  it('denies what else is named destructive, unless it is allowed by its full name', async () => {
    const destructive = ['*_write'];
    expect(await decided({ destructive }, ['db_write'])).toEqual(['destructive']);
    expect(await decided({ destructive, allow: ['*'] }, ['db_write', 'db_drop'])).toEqual([
      'destructive',
      'destructive',
    ]);
    const allow = ['*', 'db_write'];
    expect(await decided({ destructive, allow }, ['db_write', 'db_drop'])).toEqual([
      'ok',
      'destructive',
    ]);
  });

  it('allows only the listed tools, and denies before it allows', async () => {
    expect(await decided({ allow: ['db_read'] }, ['db_read', 'db_write'])).toEqual([
      'ok',
      'not-allowed',
    ]);
    expect(await decided({ allow: ['db_*'], deny: ['db_r*d'] }, ['db_read', 'db_write'])).toEqual([
      'denied',
      'ok',
    ]);
  });

  it('has rules for tiers and tags', async () => {
    const deny = [{ tools: ['db_write'], tiers: ['t'], tags: { env: 'prod' } }];
    const prod = { tags: { env: 'prod' } };
    expect(await decided({ deny }, ['db_write'], prod)).toEqual(['denied']);
    expect(await decided({ deny }, ['db_write'], { ...prod, tier: 'admin' })).toEqual(['ok']);
    expect(await decided({ deny }, ['db_write'], { tags: { env: 'test' } })).toEqual(['ok']);
    const allow = ['db_read', { tools: 'db_drop', tiers: ['admin'] }];
    expect(await decided({ allow }, ['db_drop'])).toEqual(['not-allowed']);
    expect(await decided({ allow }, ['db_drop'], { tier: 'admin' })).toEqual(['ok']);
  });

  it.each([
    ['a plain schema', inputSchema],
    ['a Standard Schema', z.object({ id: z.string() })],
  ])('checks arguments against %s, in answers and streams', async (_, schema) => {
    const script = { toolCalls: [{ id: '1', name: 'db_read', input: { id: 7 } }] };
    const { router, verdicts } = setUp({}, script);
    const options = { tools: [{ name: 'db_read', inputSchema: schema }] };
    const { toolCalls, content } = await router.complete('t', 'go', options);
    expect(toolCalls).toEqual([]);
    expect(content).toMatchObject([{ denied: { plugin: 'tools', rule: 'arguments' } }]);
    const types: string[] = [];
    for await (const { type } of router.stream('t', 'go', options)) types.push(type);
    expect(types).not.toContain('tool-call-delta');
    const verdict = { policy: 'tools', kind: 'deny', rule: 'arguments' };
    expect(verdicts).toMatchObject([verdict, verdict]);
    expect(JSON.stringify(verdicts)).not.toContain('7}');
  });

  it('passes arguments whose schema cannot be checked, and reports it', async () => {
    const { router, verdicts } = setUp({}, calling('odd'));
    const odd = { name: 'odd', inputSchema: { type: 'object', not: { required: ['x'] } } };
    const { toolCalls } = await router.complete('t', 'go', { tools: [odd] });
    expect(toolCalls).toHaveLength(1);
    expect(verdicts).toMatchObject([{ kind: 'flag', rule: 'schema-not-checked' }]);
  });

  it('limits the calls of each tool in any 60 seconds', async () => {
    const { router, runtime } = setUp(
      { perMinute: { db_read: 2 } },
      calling('db_read', 'db_write'),
    );
    const allowed = async () => {
      const { toolCalls } = await router.complete('t', 'go', { tools });
      return toolCalls.map(({ name }) => name);
    };
    const both = ['db_read', 'db_write'];
    expect([await allowed(), await allowed(), await allowed()]).toEqual([both, both, ['db_write']]);
    await runtime.advance(59_000);
    expect(await allowed()).toEqual(['db_write']);
    await runtime.advance(1_100);
    expect(await allowed()).toEqual(both);
    expect(await decided({ perMinute: 1 }, ['db_read', 'db_write', 'db_read'])).toEqual([
      'ok',
      'ok',
      'rate-limit',
    ]);
    expect(await decided({ perMinute: 0 }, ['db_read'])).toEqual(['rate-limit']);
  });

  it('rejects bad options, with all problems', () => {
    const bad = {
      alow: ['x'],
      perMinute: -1,
      deny: [{ tools: 1 }],
    } as unknown as GuardToolsOptions;
    expect(() => guardTools(bad)).toThrow(
      expect.objectContaining({
        code: 'config',
        message: expect.stringMatching(/guardTools\.deny[\s\S]*guardTools\.perMinute[\s\S]*alow/),
      }),
    );
  });

  for (const { name, run } of testPlugin({ plugin: () => guardTools() })) it(name, run);
});

/** A production database, and an app that runs every tool call as soon as it arrives. */
async function agentOnProduction(parts: AsyncIterable<StreamPart<unknown>>) {
  const database = new Map([['production', ['customers', 'bookings', 'backups']]]);
  const seen: string[] = [];
  for await (const part of parts) {
    if (part.type === 'tool-call-start' || part.type === 'tool-call-delta') seen.push(part.type);
    if (part.type !== 'part-end' || part.part.type !== 'tool-call') continue;
    if (part.part.denied !== undefined) continue;
    seen.push(part.part.name);
    const { volumeId } = part.part.input as { volumeId: string };
    database.delete(volumeId);
  }
  return { database, seen };
}

describe('an agent that deletes the production database within nine seconds', () => {
  const volumeDelete: Tool = {
    name: 'volume_delete',
    description: 'Deletes a volume and its backups.',
    inputSchema: { type: 'object', properties: { volumeId: { type: 'string' } } },
    destructive: true,
  };
  const input = { volumeId: 'production' };
  const order = 'The credentials of staging do not work. Fix it.';

  it.each([
    ['is stopped', [guardTools()], ['customers', 'bookings', 'backups'], []],
    ['is not stopped without the guard', [], undefined, ['volume_delete']],
  ])('%s, in a stream', async (_, plugins, left, ran) => {
    const runtime = fakeRuntime({ time: 'auto' });
    const script = {
      text: 'I will delete the volume and create it again.',
      toolCalls: [{ id: '1', name: 'volume_delete', input }],
      chunkDelayMs: 1_000,
    };
    const router = createRouter({
      runtime,
      providers: { a: fakeProvider(script, { runtime }) },
      tiers: { agent: ['a/m'] },
      plugins,
    });
    const startedAt = runtime.now();
    const stream = router.stream('agent', order, { tools: [volumeDelete] });
    const { database, seen } = await agentOnProduction(stream);
    expect(runtime.now() - startedAt).toBeLessThanOrEqual(9_000);
    expect(database.get('production')).toEqual(left);
    expect(seen.filter((each) => each === 'volume_delete')).toEqual(ran);
    if (left !== undefined) expect(seen).toEqual([]);
    const { toolCalls, content } = await stream.completion;
    expect(toolCalls).toHaveLength(ran.length);
    const denied = content.filter((part) => part.type === 'tool-call' && part.denied !== undefined);
    expect(denied).toHaveLength(1 - ran.length);
  });

  it('is stopped over HTTP, where the vendor never learns what is destructive', async () => {
    const vendors = await simulateProviders();
    try {
      vendors.openai.answer({ toolCalls: [{ id: '1', name: 'volume_delete', input }] });
      const router = createRouter({
        providers: { openai: openai({ apiKey: 'key', baseURL: vendors.openai.baseURL }) },
        tiers: { agent: ['openai/gpt-5.4-mini'] },
        plugins: [guardTools()],
      });
      const stream = router.stream('agent', order, { tools: [volumeDelete] });
      const { database, seen } = await agentOnProduction(stream);
      expect(database.has('production')).toBe(true);
      expect(seen).toEqual([]);
      const [{ body } = { body: undefined }] = vendors.openai.log;
      expect(JSON.stringify(body)).toContain('volume_delete');
      expect(JSON.stringify(body)).not.toContain('destructive');
      await router.close();
    } finally {
      await vendors.close();
    }
  });
});
