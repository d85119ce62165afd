import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type Approval,
  defineTool,
  type RunnableTool,
  resumeTools,
  runTools,
} from '../../src/agents.ts';
import type { Message, RouterEvent, ToolCallPart } from '../../src/index.ts';
import { guardTools } from '../../src/policies.ts';
import type { Plugin } from '../../src/protocol/plugin.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const inputSchema = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };

const calls = (...names: readonly string[]) => ({
  toolCalls: names.map((name) => ({ id: name, name, input: { id: 'x' } })),
});

/** Tools `read`, `write`, `drop` and `wipe`, of which the last two are destructive; `ran` has those that ran. */
function setUp(script: FakeScript, plugins: readonly Plugin[] = []) {
  const runtime = fakeRuntime({ time: 'auto' });
  const provider = fakeProvider(script, { runtime });
  const router = createRouter({
    runtime,
    providers: { a: provider },
    tiers: { t: ['a/m'] },
    prices: { 'a/m': { input: 1_000, output: 1_000 } },
    plugins,
  });
  const events: RouterEvent[] = [];
  router.on('*', (event) => void (/^tool-|verdict/.test(event.type) && events.push(event)));
  const ran: string[] = [];
  const tools: readonly RunnableTool[] = ['read', 'write', 'drop', 'wipe'].map((name) =>
    defineTool({
      name,
      inputSchema,
      destructive: name === 'drop' || name === 'wipe',
      execute: (_, { toolCallId }) => ran.push(toolCallId),
    }),
  );
  const start = (approve?: (call: ToolCallPart<string, unknown>) => Approval | Promise<Approval>) =>
    runTools(router, 't', 'go', { tools, runtime, approve, tags: { user: 'ann' } });
  return { router, runtime, provider, events, ran, tools, start };
}

function outputs(messages: readonly Message[]): readonly unknown[] {
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content));
  return parts.filter((part) => part.type === 'tool-result').map(({ output }) => output);
}

async function suspended(from: ReturnType<typeof setUp>) {
  const result = await from.start(() => 'later').result;
  if (result.status !== 'suspended') throw new Error(result.status);
  return result;
}

describe('approve', () => {
  it('is missing: a destructive call is denied, and the run goes on', async () => {
    const { start, ran, events } = setUp([calls('read', 'drop'), 'as you wish']);
    const { status, messages, steps } = await start().result;
    expect(status).toBe('done');
    expect(ran).toEqual(['read']);
    expect(outputs(messages)).toEqual([
      1,
      expect.stringMatching(/^Denied: the tool is destructive/),
    ]);
    expect(steps[0]?.tools).toMatchObject([
      { toolCallId: 'drop', status: 'denied' },
      { toolCallId: 'read', status: 'ok' },
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({
        ...{ type: 'tool-denied', tool: 'drop', reason: 'no-approval', tags: { user: 'ann' } },
      }),
    );
  });

  it('is asked for destructive calls only, with the validated input', async () => {
    const { router, runtime } = setUp([calls('read', 'drop'), 'ok']);
    const asked: unknown[] = [];
    const ran: unknown[] = [];
    const schema = z.object({ id: z.string().transform((id) => ({ volume: id })) });
    const tool = { inputSchema: schema, execute: (input: unknown) => void ran.push(input) };
    const { steps } = await runTools(router, 't', 'go', {
      tools: [
        defineTool({ ...tool, name: 'read' }),
        defineTool({ ...tool, name: 'drop', destructive: true }),
      ],
      runtime,
      async approve({ name, input }) {
        asked.push([name, input]);
        await runtime.sleep(30_000);
        return true;
      },
    }).result;
    expect(asked).toEqual([['drop', { id: { volume: 'x' } }]]);
    expect(ran).toEqual([{ id: { volume: 'x' } }, { id: { volume: 'x' } }]);
    // The other one did not wait for the person.
    expect(steps[0]?.tools.map(({ name }) => name)).toEqual(['read', 'drop']);
  });

  it('marks the start of a tool that was approved', async () => {
    const { start, events } = setUp([calls('drop'), 'ok']);
    await start(() => true).result;
    expect(events[0]).toMatchObject({ type: 'tool-start', tool: 'drop', approved: true });
  });

  it.each([
    ['a no', () => false, 'not-approved'],
    ['an exception', () => Promise.reject(new Error('down')), 'approve-failed'],
    ['a value that is none', () => 'yes' as never, 'approve-failed'],
  ])('denies the call after %s', async (_, approve, reason) => {
    const { start, ran, events } = setUp([calls('drop'), 'ok']);
    const { status, messages } = await start(approve).result;
    expect([status, ran]).toEqual(['done', []]);
    expect(outputs(messages)).toEqual([expect.stringMatching(/was not approved/)]);
    expect(events).toMatchObject([{ type: 'tool-denied', reason }]);
  });

  it('does not keep an aborted run waiting', async () => {
    const { router, runtime, tools } = setUp([calls('drop'), 'ok']);
    const controller = new AbortController();
    const approve = () => {
      queueMicrotask(() => controller.abort());
      return new Promise<Approval>(() => undefined);
    };
    const { signal } = controller;
    await expect(
      runTools(router, 't', 'go', { tools, runtime, approve, signal }).result,
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a suspended run', () => {
  it('has run the calls that need no approval, and lists the others', async () => {
    const from = setUp([calls('drop', 'read'), 'ok']);
    const { pending, messages, completion } = await suspended(from);
    expect(from.ran).toEqual(['read']);
    expect(pending).toEqual([{ type: 'tool-call', id: 'drop', name: 'drop', input: { id: 'x' } }]);
    expect(messages.at(-1)?.role).toBe('assistant');
    expect(completion?.toolCalls).toHaveLength(2);
    expect(from.events.map(({ type }) => type)).toEqual(['tool-start', 'tool-end']);
  });

  it('goes on in another process, and runs what was approved there', async () => {
    const from = setUp([calls('drop', 'read'), 'ok']);
    const image = { data: new Uint8Array([1, 2, 3]), mediaType: 'image/png' };
    const content = [{ type: 'image' as const, source: image }];
    const result = await runTools(from.router, 't', [{ role: 'user', content }], {
      ...{ tools: from.tools, runtime: from.runtime, approve: () => 'later' as const },
      ...{ temperature: 0.5, system: 'Be brief.' },
    }).result;
    if (result.status !== 'suspended') throw new Error(result.status);
    const child = join(import.meta.dirname, 'resume-child.ts');
    const stdout = await new Promise<string>((resolve, reject) => {
      const process_ = execFile(
        process.execPath,
        ['--no-warnings', child, 'drop'],
        (error, out, err) => (error === null ? resolve(out) : reject(new Error(err))),
      );
      process_.stdin?.end(JSON.stringify(result.state));
    });
    const there = JSON.parse(stdout);
    expect(there).toMatchObject({ status: 'done', steps: 2, request: { temperature: 0.5 } });
    expect(there.ran).toEqual([
      { name: 'drop', input: { id: 'x' }, toolCallId: 'drop', runId: 'run_1', step: 0 },
    ]);
    // The results in the order of the calls, though the second one is from the first process.
    expect(outputs(there.messages)).toEqual(['dropped', 1]);
    expect(there.messages[0].content[0].source.data).toBe('AQID');
  });

  it('runs what was approved, denies what was not, and waits for the rest', async () => {
    const from = setUp([calls('drop', 'wipe', 'read'), 'ok']);
    const { state } = await suspended(from);
    const { router, runtime, tools, ran } = from;
    const half = await resumeTools(router, state, { tools, runtime, approvals: { wipe: true } })
      .result;
    if (half.status !== 'suspended') throw new Error(half.status);
    expect(half.pending.map(({ id }) => id)).toEqual(['drop']);
    expect(half.completion).toBeUndefined();
    expect(ran).toEqual(['read', 'wipe']);
    expect(from.provider.calls).toHaveLength(1);
    const end = await resumeTools(router, half.state, {
      ...{ tools, runtime, approvals: { drop: false } },
    }).result;
    expect(end.status).toBe('done');
    expect(ran).toEqual(['read', 'wipe']);
    expect(outputs(end.messages)).toEqual([expect.stringMatching(/^Denied/), 2, 1]);
    expect(end.steps[0]?.tools.map(({ toolCallId }) => toolCallId)).toEqual([
      'read',
      'wipe',
      'drop',
    ]);
    // Its tags are still those of the run.
    expect(from.events.at(-1)).toMatchObject({ type: 'tool-denied', tags: { user: 'ann' } });
  });

  it('stays suspended without a decision, and does not ask again', async () => {
    const from = setUp([calls('drop'), 'ok']);
    const { state } = await suspended(from);
    const { router, runtime, tools } = from;
    const same = await resumeTools(router, state, { tools, runtime, approve: () => true }).result;
    expect(same).toMatchObject({ status: 'suspended', state });
    expect(from.ran).toEqual([]);
  });

  it('survives a database that changes the order of fields', async () => {
    const from = setUp([calls('drop'), 'ok']);
    const { state } = await suspended(from);
    const reversed = Object.fromEntries(Object.entries(state).reverse());
    const { router, runtime, tools } = from;
    const end = await resumeTools(router, reversed, { tools, runtime, approvals: { drop: true } })
      .result;
    expect(end.status).toBe('done');
  });

  it('is refused if it was changed, is something else, or lacks what it needs', async () => {
    const from = setUp([calls('drop'), 'ok']);
    const { state } = await suspended(from);
    const { router, runtime, tools } = from;
    const text = JSON.stringify(state);
    const options = { tools, runtime };
    const cases: readonly (readonly [unknown, object, RegExp])[] = [
      [JSON.parse(text.replace('"x"', '"production"')), {}, /was changed: its digest does not fit/],
      [text, {}, /is text: pass the result of JSON\.parse/],
      [{}, {}, /was not made by runTools/],
      [null, {}, /was not made by runTools/],
      [{ ...state, v: 2 }, {}, /has the version a number/],
      [
        state,
        { approvals: { other: true } },
        /no call "other" waits for approval; these do: "drop"/,
      ],
      [state, { approvals: { drop: 'yes' } }, /"drop" must be true or false/],
      [
        state,
        { tools: tools.slice(0, 1) },
        /a call of "drop" waits for approval, and there is no such tool/,
      ],
    ];
    for (const [given, more, message] of cases) {
      expect(() => resumeTools(router, given as never, { ...options, ...more })).toThrow(message);
    }
  });

  it('asks again for a schema, and for a tier that is a function', async () => {
    const { router, runtime, tools } = setUp([calls('drop'), { object: { a: 1 } }]);
    const schema = z.object({ a: z.number() });
    const approve = () => 'later' as const;
    const result = await runTools(router, () => 't', 'go', { tools, runtime, approve, schema })
      .result;
    if (result.status !== 'suspended') throw new Error(result.status);
    const approvals = { drop: true };
    const resume = (more: object) =>
      resumeTools(router, result.state, { tools, runtime, approvals, ...more });
    expect(() => resume({})).toThrow(/the run had "schema"/);
    expect(() => resume({ schema })).toThrow(/the tier of the run was a function/);
    expect(await resume({ schema, tier: 't' }).result).toMatchObject({
      completion: { object: { a: 1 } },
    });
  });

  it('counts what was spent before for maxUsd, and the steps for maxSteps', async () => {
    const usage = { inputTokens: 1_000, outputTokens: 0 };
    const from = setUp([{ ...calls('drop'), usage }, { ...calls('read'), usage }, 'ok']);
    const { router, runtime, tools } = from;
    const first = await runTools(router, 't', 'go', {
      ...{ tools, runtime, approve: () => 'later' as const, maxSteps: 2, maxUsd: 10 },
    }).result;
    if (first.status !== 'suspended') throw new Error(first.status);
    const second = await resumeTools(router, first.state, {
      tools,
      runtime,
      approvals: { drop: true },
    }).result;
    expect(second).toMatchObject({ status: 'max-steps', usd: 2 });
  });

  it('is not resumed when it was done', async () => {
    const { start, router, tools } = setUp(['ok']);
    const run = start();
    await run.result;
    expect(() => resumeTools(router, run.checkpoint(), { tools })).toThrow(/the run was done/);
  });
});

describe('guardTools', () => {
  it('denies: the model is told, and the run goes on', async () => {
    const guard = guardTools({ deny: ['write'] });
    const { start, ran, events } = setUp([calls('write', 'read', 'drop'), 'ok'], [guard]);
    const { messages, status } = await start().result;
    expect([status, ran]).toEqual(['done', ['read']]);
    expect(outputs(messages)).toEqual([
      expect.stringMatching(/^Denied by a policy \(rule "denied"\)/),
      1,
      expect.stringMatching(/^Denied: the tool is destructive/),
    ]);
    const denied = events.filter(({ type }) => type === 'tool-denied');
    expect(denied).toMatchObject([
      { tool: 'write', reason: 'policy', policy: 'tools', rule: 'denied' },
      { tool: 'drop', reason: 'no-approval', policy: 'tools', rule: 'destructive' },
    ]);
  });

  it('leaves a destructive call to an approval, also of a tool that only it calls so', async () => {
    const guard = guardTools({ destructive: ['wr*'] });
    const { start, ran } = setUp([calls('write', 'drop', 'read'), 'ok'], [guard]);
    const asked: string[] = [];
    const { status } = await start(({ name }) => {
      asked.push(name);
      return name === 'write';
    }).result;
    expect(asked).toEqual(['write', 'drop']);
    expect(status).toBe('done');
    expect(new Set(ran)).toEqual(new Set(['read', 'write']));
  });

  it.each([
    ['denied', { deny: ['drop'] }, { id: 'x' }],
    ['not-allowed', { allow: ['read'] }, { id: 'x' }],
    ['rate-limit', { perMinute: 0 }, { id: 'x' }],
  ])(
    'is not overruled by an approval of a call that it denies as %s',
    async (rule, options, input) => {
      const script = [{ toolCalls: [{ id: 'drop', name: 'drop', input }] }, 'ok'];
      const { start, ran, events } = setUp(script, [guardTools(options)]);
      await start(() => true).result;
      expect(ran).toEqual([]);
      expect(events.at(-1)).toMatchObject({ type: 'tool-denied', reason: 'policy', rule });
    },
  );

  it('suspends a call that it denies, and resumes it', async () => {
    const from = setUp([calls('write'), 'ok'], [guardTools({ destructive: ['write'] })]);
    const { state, pending } = await suspended(from);
    expect(pending).toEqual([
      { type: 'tool-call', id: 'write', name: 'write', input: { id: 'x' } },
    ]);
    const { router, runtime, tools, ran } = from;
    await resumeTools(router, state, { tools, runtime, approvals: { write: true } }).result;
    expect(ran).toEqual(['write']);
  });
});

it.each(['constructor', 'toString', '__proto__'])(
  'does not take the id %s, which the vendor chose, for an approval',
  async (id) => {
    const from = setUp([{ toolCalls: [{ id, name: 'drop', input: { id: 'x' } }] }, 'ok']);
    const { state } = await suspended(from);
    const { router, runtime, tools, ran } = from;
    const again = await resumeTools(router, state, { tools, runtime }).result;
    expect(again).toMatchObject({ status: 'suspended', pending: [{ id }] });
    expect(ran).toEqual([]);
  },
);
