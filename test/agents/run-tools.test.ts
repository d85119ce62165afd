import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  defineTool,
  type RunnableTool,
  resumeTools,
  runTools,
  ToolError,
} from '../../src/agents.ts';
import type { Message, RouterEvent, ToolResultPart } from '../../src/index.ts';
import { createRouter } from '../../src/router.ts';
import type { FakeEntry } from '../../src/testing/fake-provider.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const inputSchema = z.object({ city: z.string(), days: z.number().default(1) });

const call = (name: string, input: object = { city: 'Lisbon' }, id?: string) => ({
  ...{ name, input: input as never },
  ...(id !== undefined && { id }),
});

/** A router whose answers are the script's, one for each step. */
function setUp(script: readonly FakeEntry[], config: object = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const a = fakeProvider(script, { runtime });
  const b = fakeProvider(script, { runtime });
  const router = createRouter({
    runtime,
    providers: { a, b },
    tiers: { t: ['a/m'], u: ['b/m'] },
    prices: { 'a/m': { input: 1_000, output: 1_000 }, 'b/m': { input: 1_000, output: 1_000 } },
    ...config,
  });
  const events: RouterEvent[] = [];
  router.on('*', (event) => void (event.type.startsWith('tool-') && events.push(event)));
  return { router, runtime, a, b, events };
}

const weather = (execute: RunnableTool['execute'] = () => 'sunny', more: object = {}) =>
  defineTool({ name: 'weather', inputSchema, execute, ...more });

function resultsIn(messages: readonly Message[]): readonly ToolResultPart[] {
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content));
  return parts.filter((part) => part.type === 'tool-result');
}

async function partsOf<Part>(run: AsyncIterable<Part>): Promise<readonly Part[]> {
  const parts: Part[] = [];
  for await (const part of run) parts.push(part);
  return parts;
}

describe('runTools', () => {
  it('runs the tools that the model calls until it answers', async () => {
    const { router, runtime, a } = setUp([{ toolCalls: [call('weather')] }, 'It is sunny.']);
    const inputs: unknown[] = [];
    const tool = weather((input, { toolCallId, step, runId }) => {
      inputs.push(input, toolCallId, step, runId);
      return { sky: 'clear', at: new Date(0), none: undefined };
    });
    const result = await runTools(router, 't', 'How is it?', { tools: [tool], runtime }).result;
    expect(result).toMatchObject({ status: 'done', completion: { text: 'It is sunny.' } });
    // Validated, with the schema's defaults.
    expect(inputs).toEqual([{ city: 'Lisbon', days: 1 }, 'call_1', 0, 'run_1']);
    expect(result.messages.map(({ role }) => role)).toEqual([
      ...['user', 'assistant', 'tool', 'assistant'],
    ]);
    const output = { sky: 'clear', at: '1970-01-01T00:00:00.000Z' };
    expect(resultsIn(result.messages)).toEqual([
      { type: 'tool-result', id: 'call_1', name: 'weather', output },
    ]);
    expect(a.calls[1]?.request.messages).toHaveLength(3);
    expect(a.calls[1]?.request.messages).toEqual(
      result.messages
        .slice(0, 3)
        .map(({ role, content }) =>
          typeof content === 'string'
            ? { role, content: [{ type: 'text', text: content }] }
            : { role, content },
        ),
    );
    expect(result.steps).toMatchObject([
      {
        index: 0,
        tier: 't',
        target: 'a/m',
        finishReason: 'tool_calls',
        tools: [{ name: 'weather', status: 'ok' }],
      },
      { index: 1, finishReason: 'stop', tools: [] },
    ]);
    expect(result.usd).toBeCloseTo((result.steps[0]?.usd ?? 0) + (result.steps[1]?.usd ?? 0));
    await router.close();
  });

  it('streams the parts of each step, with the results of the tools', async () => {
    const { router, runtime } = setUp([{ toolCalls: [call('weather')] }, 'Sunny.']);
    const run = runTools(router, 't', 'How is it?', { tools: [weather()], runtime });
    const parts = await partsOf(run);
    expect(parts.map(({ type }) => type)).toEqual([
      ...['step-start', 'start', 'tool-call-start', 'tool-call-delta', 'part-end', 'finish'],
      'tool-result',
      ...['step-start', 'start', 'text-delta', 'part-end', 'finish'],
    ]);
    expect(parts[6]).toMatchObject({ step: 0, status: 'ok', result: { output: 'sunny' } });
    expect((await run.result).status).toBe('done');
    await expect(partsOf(run)).rejects.toMatchObject({ code: 'config' });
  });

  it('starts for a result alone, and lets a reader of the same turn come first', async () => {
    const { router, runtime, a } = setUp(['Sunny.']);
    const run = runTools(router, 't', 'How is it?', { tools: [], runtime });
    const { result } = run;
    expect(await partsOf(run)).not.toHaveLength(0);
    expect((await result).status).toBe('done');
    const alone = runTools(router, 't', 'How is it?', { tools: [], runtime });
    expect((await alone.result).status).toBe('done');
    await expect(partsOf(alone)).rejects.toMatchObject({ code: 'config' });
    expect(a.calls).toHaveLength(2);
    runTools(router, 't', 'How is it?', { tools: [], runtime });
    expect(a.calls).toHaveLength(2);
  });

  it('runs the calls of an answer at the same time, and sends their results in its order', async () => {
    const slow = call('weather', { city: 'Oslo' }, 'slow');
    const { router, runtime } = setUp([
      { toolCalls: [slow, call('weather', { city: 'Rom' }, 'fast')] },
      'ok',
    ]);
    const started: number[] = [];
    const tool = weather(async (input) => {
      started.push(runtime.now());
      const isSlow = (input as { city: string }).city === 'Oslo';
      await runtime.sleep(isSlow ? 5_000 : 100);
      return isSlow ? 'slow' : 'fast';
    });
    const run = runTools(router, 't', 'go', { tools: [tool], runtime });
    const parts = await partsOf(run);
    const order = parts.flatMap((part) => (part.type === 'tool-result' ? part.result.id : []));
    expect(order).toEqual(['fast', 'slow']);
    expect(new Set(started).size).toBe(1);
    const { messages } = await run.result;
    expect(resultsIn(messages).map(({ id, output }) => [id, output])).toEqual([
      ...[
        ['slow', 'slow'],
        ['fast', 'fast'],
      ],
    ]);
  });

  it('runs no more tools at the same time than `concurrency`', async () => {
    const toolCalls = [1, 2, 3, 4, 5].map((each) =>
      call('weather', { city: `${each}` }, `${each}`),
    );
    const { router, runtime } = setUp([{ toolCalls }, 'ok']);
    let [running, most] = [0, 0];
    const tool = weather(async () => {
      most = Math.max(most, ++running);
      await runtime.sleep(10);
      running--;
    });
    await runTools(router, 't', 'go', { tools: [tool], runtime, concurrency: 2 }).result;
    expect(most).toBe(2);
  });

  it('gives calls ids of their own where a vendor counts them from 1 in each answer', async () => {
    const { router, runtime } = setUp([
      { toolCalls: [call('weather')] },
      { toolCalls: [call('weather'), call('weather')] },
      'ok',
    ]);
    const ids: string[] = [];
    const tool = weather((_, { toolCallId }) => void ids.push(toolCallId));
    const run = runTools(router, 't', 'go', { tools: [tool], runtime });
    const parts = await partsOf(run);
    expect(ids).toEqual(['call_1', 'call_1_2', 'call_2']);
    const seen = parts.flatMap((part) => (part.type === 'tool-call-start' ? part.id : []));
    expect(seen).toEqual(ids);
    const { messages } = await run.result;
    expect(resultsIn(messages).map(({ id, output }) => [id, output])).toEqual(
      ids.map((id) => [id, null]),
    );
  });

  describe('with a tool that fails', () => {
    async function failing(execute: RunnableTool['execute'], more: object = {}) {
      const { router, runtime, events } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
      const result = await runTools(router, 't', 'go', {
        tools: [weather(execute, more)],
        runtime,
      }).result;
      const [sent] = resultsIn(result.messages);
      return { sent, record: result.steps[0]?.tools[0], end: events[1], status: result.status };
    }

    it('sends the message of a ToolError, and of other errors only that there was one', async () => {
      const known = await failing(() => {
        throw new ToolError('there is no such city');
      });
      expect(known.sent).toMatchObject({ output: 'there is no such city', isError: true });
      const secret = Object.assign(new RangeError('postgres://user:pass@db'), {
        code: 'ECONNREFUSED',
      });
      const unknown = await failing(() => Promise.reject(secret));
      expect(unknown.sent).toMatchObject({ output: 'The tool failed.', isError: true });
      expect(unknown.record).toMatchObject({ status: 'error', error: secret });
      expect(unknown.end).toMatchObject({
        ...{ type: 'tool-end', status: 'error', durationMs: 0 },
        error: { name: 'RangeError', code: 'ECONNREFUSED' },
      });
      expect(JSON.stringify(unknown.end)).not.toContain('pass');
      expect(unknown.status).toBe('done');
    });

    it('stops waiting after timeoutMs, also for a tool that ignores its signal', async () => {
      let reason: unknown;
      const { sent, record, end } = await failing(
        (_, { signal }) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
          });
          return new Promise(() => undefined);
        },
        { timeoutMs: 1_500 },
      );
      expect(sent).toMatchObject({ isError: true });
      expect(sent?.output).toMatch(/did not answer within 1500 ms/);
      expect(record).toMatchObject({ status: 'timeout', durationMs: 1_500 });
      expect(end).toMatchObject({ type: 'tool-end', status: 'timeout', durationMs: 1_500 });
      expect(reason).toMatchObject({ name: 'TimeoutError' });
    });

    it('rejects output that is not JSON, with the place for the application', async () => {
      const cyclic: Record<string, unknown> = {};
      cyclic.self = { cyclic };
      const outputs: readonly (readonly [unknown, RegExp])[] = [
        [cyclic, /self\.cyclic refers back/],
        [{ total: 1n }, /total is a BigInt/],
        [() => 1, /it is a function/],
        [{ rows: Promise.resolve() }, /rows is a Promise/],
        ['x'.repeat(1_000_001), /1000003 characters/],
        [[{ type: 'text', text: 'x'.repeat(1_000_001) }], /1000001 characters of text/],
      ];
      for (const [output, message] of outputs) {
        const { sent, record } = await failing(() => output);
        expect(sent).toMatchObject({ isError: true });
        expect(sent?.output).toBe('The tool failed: its output could not be used.');
        expect(record?.error).toMatchObject({ message: expect.stringMatching(message) });
      }
    });
  });

  it('sends parts such as images as they are', async () => {
    const { router, runtime } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    const image = {
      type: 'image' as const,
      source: { data: new Uint8Array([1, 2]), mediaType: 'image/png' },
    };
    const { messages } = await runTools(router, 't', 'go', {
      tools: [weather(() => [image, { type: 'text', text: 'a map' }])],
      runtime,
    }).result;
    expect(resultsIn(messages)[0]?.output).toEqual([image, { type: 'text', text: 'a map' }]);
  });

  it('does not run a call whose input does not fit plain JSON Schema, and tells the model why', async () => {
    const { router, runtime } = setUp([
      { toolCalls: [call('plain', { id: 1 }), { name: 'plain', rawInput: '{"id":' }] },
      'ok',
    ]);
    let runs = 0;
    const plain = defineTool({
      name: 'plain',
      inputSchema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
      execute: () => ++runs,
    });
    const { messages, steps } = await runTools(router, 't', 'go', { tools: [plain], runtime })
      .result;
    expect(runs).toBe(0);
    expect(steps[0]?.tools.map(({ status }) => status)).toEqual(['not-run', 'not-run']);
    expect(resultsIn(messages).map(({ output }) => output)).toEqual([
      expect.stringMatching(/does not fit the tool's schema: id: /),
      expect.stringMatching(/not valid JSON/),
    ]);
  });

  it('does not run the calls of an answer that was cut', async () => {
    const { router, runtime } = setUp([
      { toolCalls: [call('weather')], finishReason: 'length' },
      { toolCalls: [call('weather')], finishReason: 'content_filter' },
      'not reached',
    ]);
    let runs = 0;
    const result = await runTools(router, 't', 'go', {
      tools: [weather(() => ++runs)],
      runtime,
    }).result;
    expect(runs).toBe(0);
    expect(result).toMatchObject({
      status: 'done',
      completion: { finishReason: 'content_filter' },
    });
    expect(resultsIn(result.messages)).toHaveLength(2);
  });

  it('sends a paused turn back', async () => {
    const { router, runtime, a } = setUp([{ text: 'searching', finishReason: 'pause' }, 'found']);
    const { messages } = await runTools(router, 't', 'go', { tools: [], runtime }).result;
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'assistant']);
    expect(a.calls[1]?.request.messages.at(-1)?.role).toBe('assistant');
  });

  it('ends after maxSteps, and goes on from there', async () => {
    const { router, runtime, a } = setUp([
      { toolCalls: [call('weather')] },
      { toolCalls: [call('weather')] },
      'ok',
    ]);
    const ran: string[] = [];
    const tool = weather((_, { toolCallId }) => void ran.push(toolCallId));
    const result = await runTools(router, 't', 'go', { tools: [tool], runtime, maxSteps: 2 })
      .result;
    if (result.status !== 'max-steps') throw new Error(result.status);
    expect(resultsIn(result.messages)).toHaveLength(2);
    const same = await resumeTools(router, result.state, { tools: [tool], runtime }).result;
    expect(same).toMatchObject({ status: 'max-steps', steps: result.steps });
    const more = await resumeTools(router, result.state, { tools: [tool], runtime, maxSteps: 3 })
      .result;
    expect(more).toMatchObject({ status: 'done', completion: { text: 'ok' } });
    expect(ran).toEqual(['call_1', 'call_1_2']);
    expect(a.calls).toHaveLength(3);
  });

  it('forces a tool call in the first step only', async () => {
    const { router, runtime, a } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    await runTools(router, 't', 'go', { tools: [weather()], runtime, toolChoice: 'required' })
      .result;
    expect(a.calls.map(({ request }) => request.toolChoice)).toEqual(['required', 'auto']);
  });

  it('asks a function for the tier of each step', async () => {
    const { router, runtime, a, b } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    const seen: unknown[] = [];
    const { steps } = await runTools(
      router,
      ({ index, messages, usd }) => {
        seen.push([index, messages.length, (usd ?? 0) > 0]);
        return index === 0 ? 't' : 'u';
      },
      'go',
      { tools: [weather()], runtime, maxSteps: 2 },
    ).result;
    expect(seen).toEqual([
      ...[
        [0, 1, false],
        [1, 3, true],
      ],
    ]);
    expect(steps.map(({ target }) => target)).toEqual(['a/m', 'b/m']);
    expect([a.calls.length, b.calls.length]).toEqual([1, 1]);
  });

  it('passes the options of calls and the tags to every step', async () => {
    const { router, runtime, a, events } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    const tags = { feature: 'chat' };
    const run = runTools(router, 't', 'go', {
      ...{ tools: [weather()], runtime, tags, temperature: 0.5, system: 'Be brief.' },
    });
    const { steps } = await run.result;
    expect(a.calls.map(({ request }) => request.temperature)).toEqual([0.5, 0.5]);
    expect(events).toMatchObject([
      { type: 'tool-start', runId: run.id, step: 0, tool: 'weather', toolCallId: 'call_1', tags },
      { type: 'tool-end', tier: 't', callId: steps[0]?.callId, status: 'ok', durationMs: 0, tags },
    ]);
  });

  it('goes on when a listener of its events throws', async () => {
    const { router, runtime } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    router.on('listener-error', () => undefined);
    router.on('tool-start', () => {
      throw new Error('broken listener');
    });
    const { status } = await runTools(router, 't', 'go', { tools: [weather()], runtime }).result;
    expect(status).toBe('done');
  });

  it('ends with budget_exceeded when its steps have spent maxUsd, and says how much', async () => {
    const usage = { inputTokens: 1_000, outputTokens: 0 };
    const { router, runtime, a } = setUp([
      { toolCalls: [call('weather')], usage },
      { toolCalls: [call('weather')], usage },
      { toolCalls: [call('weather')], usage },
    ]);
    const run = runTools(router, 't', 'go', {
      ...{ tools: [weather()], runtime, maxUsd: 2.5, maxOutputTokens: 1 },
    });
    await expect(run.result).rejects.toMatchObject({
      code: 'budget_exceeded',
      budget: 'maxUsd',
      message: expect.stringMatching(/^the run has spent \$3 of its maxUsd \$2\.5 in 3 steps/),
    });
    expect(a.calls).toHaveLength(3);
    const more = resumeTools(router, run.checkpoint(), {
      tools: [weather()],
      runtime,
      maxUsd: 3.5,
    });
    await expect(more.result).rejects.toMatchObject({ code: 'budget_exceeded' });
  });

  it('says that the price is unknown instead of a sum without it', async () => {
    const { router, runtime } = setUp(['ok'], { prices: {} });
    const { usd, steps } = await runTools(router, 't', 'go', { tools: [], runtime }).result;
    expect([usd, steps[0]?.usd]).toEqual([null, null]);
  });

  it('aborts its tools with the run', async () => {
    const { router, runtime, events } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    const controller = new AbortController();
    let reason: unknown;
    const tool = weather((_, { signal }) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      queueMicrotask(() => controller.abort(new Error('the user left')));
      return new Promise(() => undefined);
    });
    const run = runTools(router, 't', 'go', { tools: [tool], runtime, signal: controller.signal });
    await expect(run.result).rejects.toMatchObject({
      code: 'aborted',
      cause: { message: 'the user left' },
    });
    expect(reason).toMatchObject({ code: 'aborted' });
    expect(events.at(-1)).toMatchObject({ type: 'tool-end', status: 'aborted' });
    // The tool may have taken effect: it does not run again.
    let runs = 0;
    const { messages } = await resumeTools(router, run.checkpoint(), {
      tools: [weather(() => ++runs)],
      runtime,
    }).result;
    expect(runs).toBe(0);
    expect(resultsIn(messages)[0]?.output).toMatch(/interrupted/);
  });

  it('rejects with aborted before anything was sent', async () => {
    const { router, runtime, a } = setUp(['ok']);
    const signal = AbortSignal.abort();
    await expect(
      runTools(router, 't', 'go', { tools: [], runtime, signal }).result,
    ).rejects.toMatchObject({ code: 'aborted' });
    expect(a.calls).toHaveLength(0);
  });

  it('is aborted when its reader leaves, in an answer and in a tool', async () => {
    const long = { chunks: ['one', 'two'], chunkDelayMs: 1_000 };
    const { router, runtime, a } = setUp([long, { toolCalls: [call('weather'), call('weather')] }]);
    const first = runTools(router, 't', 'go', { tools: [], runtime });
    for await (const part of first) if (part.type === 'text-delta') break;
    await expect(first.result).rejects.toMatchObject({ code: 'aborted' });
    expect(a.calls[0]?.outcome).toBe('aborted');

    const aborted: string[] = [];
    const tool = weather((_, { toolCallId, signal }) => {
      if (toolCallId === 'call_1') return 'done';
      signal.addEventListener('abort', () => void aborted.push(toolCallId));
      return new Promise(() => undefined);
    });
    const second = runTools(router, 't', 'go', { tools: [tool], runtime });
    for await (const part of second) if (part.type === 'tool-result') break;
    await expect(second.result).rejects.toMatchObject({ code: 'aborted' });
    expect(aborted).toEqual(['call_2']);
    expect(runtime.pending).toBe(0);
  });

  it('is retried from its checkpoint without running a tool again', async () => {
    const { router, runtime } = setUp([
      { toolCalls: [call('weather')] },
      { error: 'invalid_request' },
      'ok',
    ]);
    let runs = 0;
    const tools = [weather(() => ++runs)];
    const run = runTools(router, 't', 'go', { tools, runtime });
    await expect(run.result).rejects.toMatchObject({ code: 'invalid_request' });
    const again = await resumeTools(router, run.checkpoint(), { tools, runtime }).result;
    expect(again).toMatchObject({ status: 'done', completion: { text: 'ok' } });
    expect(runs).toBe(1);
  });

  describe('of which a step does not end', () => {
    /** Reads until a part of this type, and leaves. */
    async function leftAt(type: string, how: 'break' | 'abort') {
      const answer = { text: 'It is sunny.', chunks: ['It is', ' sunny.'] };
      const { router, runtime, a } = setUp([answer, answer]);
      const costs: number[] = [];
      router.on('cost', ({ usd }) => void costs.push(usd ?? Number.NaN));
      const controller = new AbortController();
      const options = { tools: [weather()], runtime, signal: controller.signal };
      const run = runTools(router, 't', 'go', options);
      try {
        for await (const part of run) {
          if (part.type !== type) continue;
          if (how === 'break') break;
          controller.abort();
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'aborted' });
      }
      return { state: run.checkpoint(), costs, run, calls: a.calls };
    }

    it.each(['break', 'abort'] as const)('counts what was billed after a %s', async (how) => {
      const { state, costs, run } = await leftAt('text-delta', how);
      expect(costs).toHaveLength(1);
      expect(state).toMatchObject({ spentUsd: costs[0], steps: [] });
      expect(state.spentUsd).toBeGreaterThan(0);
      await expect(run.result).rejects.toMatchObject({ code: 'aborted' });
    });

    it('keeps an answer whose reader leaves at its last part', async () => {
      const { state, costs } = await leftAt('finish', 'break');
      expect(state).toMatchObject({ spentUsd: costs[0], steps: [{ finishReason: 'stop' }] });
      expect(state.messages).toHaveLength(2);
    });
  });

  it('does not start a tool when a listener of its event aborts the run', async () => {
    const { router, runtime } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    const controller = new AbortController();
    router.on('tool-start', () => controller.abort());
    let runs = 0;
    const options = { tools: [weather(() => ++runs)], runtime, signal: controller.signal };
    const { result } = runTools(router, 't', 'go', options);
    await expect(result).rejects.toMatchObject({ code: 'aborted' });
    expect(runs).toBe(0);
  });

  it('runs tools for the answer that is whole, not for one that restarted', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const a = fakeProvider(
      (_, attempt) =>
        attempt === 1 ? { text: 'I will look', chunks: ['I ', 'will '], cutAfter: 1 } : 'ok',
      { runtime },
    );
    const b = fakeProvider(
      (_, attempt) => (attempt === 1 ? { toolCalls: [call('weather')] } : 'ok'),
      {
        runtime,
      },
    );
    const router = createRouter({
      runtime,
      providers: { a, b },
      tiers: { t: { targets: ['a/m', 'b/m'], midStream: 'restart', retry: { attempts: 0 } } },
    });
    let runs = 0;
    const run = runTools(router, 't', 'go', { tools: [weather(() => ++runs)], runtime });
    const types = (await partsOf(run)).map(({ type }) => type);
    expect(types).toContain('restart');
    expect(runs).toBe(1);
    expect(resultsIn((await run.result).messages)).toHaveLength(1);
  });

  it('validates the answer of the last step against a schema', async () => {
    const { router, runtime } = setUp([
      { toolCalls: [call('weather')] },
      { object: { sky: 'clear' } },
    ]);
    const schema = z.object({ sky: z.string() });
    const result = await runTools(router, 't', 'go', { tools: [weather()], runtime, schema })
      .result;
    expect(result).toMatchObject({ completion: { object: { sky: 'clear' } } });
  });

  it.each([
    [{ tools: 1 }, /^tools: must be a list/],
    [{ tools: [{ name: 'a', inputSchema: {} }] }, /tools\[0\]: must be a tool with a function/],
    [{ tools: [weather(), weather()] }, /tools\[1\].name: there is a tool "weather" already/],
    [{ tools: [weather(() => 1, { timeoutMs: 0 })] }, /tools\[0\].timeoutMs/],
    [{ tools: [], maxSteps: 0 }, /^maxSteps/],
    [{ tools: [], maxUsd: -1 }, /^maxUsd/],
    [{ tools: [], concurrency: 0.5 }, /^concurrency/],
    [{ tools: [], approve: true }, /^approve/],
  ])('throws for invalid options: %o', (options, message) => {
    const { router } = setUp(['ok']);
    expect(() => runTools(router, 't', 'go', options as never)).toThrow(message);
  });

  it('rejects with config for messages that are none, and for a tier that cannot be chosen', async () => {
    const { router } = setUp(['ok']);
    for (const messages of [undefined, [], [null], [{ role: 'user' }]]) {
      const run = runTools(router, 't', messages as never, { tools: [] });
      await expect(run.result).rejects.toMatchObject({ code: 'config' });
      await expect(
        partsOf(runTools(router, 't', messages as never, { tools: [] })),
      ).rejects.toMatchObject({ code: 'config' });
    }
    const broken = () => {
      throw new Error('broken');
    };
    await expect(runTools(router, broken, 'go', { tools: [] }).result).rejects.toMatchObject({
      code: 'config',
      cause: { message: 'broken' },
    });
    const unknown = runTools(router, (() => 'v') as never, 'go', { tools: [] });
    await expect(unknown.result).rejects.toMatchObject({ code: 'config' });
  });

  it('does not run a tool with a field that is misspelt, such as "destructive"', async () => {
    const { router } = setUp([{ toolCalls: [call('weather')] }, 'ok']);
    let runs = 0;
    const tools = [weather(() => ++runs, { destructve: true })];
    await expect(runTools(router, 't', 'go', { tools }).result).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('did you mean "destructive"?'),
    });
    expect(runs).toBe(0);
  });

  it('rejects with config for options of calls', async () => {
    const { router } = setUp(['ok']);
    const run = runTools(router, 't', 'go', { tools: [], temperature: 'hot' as never });
    await expect(run.result).rejects.toMatchObject({ code: 'config' });
  });
});
