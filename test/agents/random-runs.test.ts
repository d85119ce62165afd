import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type Approval,
  defineTool,
  type RunnableTool,
  type RunResult,
  type RunState,
  resumeTools,
  runTools,
} from '../../src/agents.ts';
import type { Message, Part, ToolCallPart, ToolResultPart } from '../../src/index.ts';
import { guardTools } from '../../src/policies.ts';
import type { ProviderRequest } from '../../src/protocol/request.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeEntry, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

/** `guarded` is destructive for `guardTools` alone; `banned` is denied by it. */
const toolNames = ['read', 'slow', 'stuck', 'broken', 'drop', 'guarded', 'banned'] as const;
const destructive = ['drop', 'guarded'];

type World = {
  /** The tools that the model calls in each of its answers, before the last one. */
  readonly plan: readonly (readonly (typeof toolNames)[number][])[];
  /** Consumed one by one; what `approve` says, and what a person says later. */
  readonly approvals: readonly Approval[];
  /** Whether each attempt of a vendor fails, one by one; `cut`: in the middle of its text. */
  readonly failures: readonly (FakeFailure | undefined)[];
  /** After how many parts each leg of the run loses its reader; `undefined`: awaited alone. */
  readonly legs: readonly ({ readonly parts: number } | 'iterate' | undefined)[];
  readonly maxSteps: number;
};
type FakeFailure = 'server_error' | 'invalid_request' | 'cut';

const worlds: fc.Arbitrary<World> = fc.record({
  plan: fc.array(fc.array(fc.constantFrom(...toolNames), { minLength: 1, maxLength: 4 }), {
    maxLength: 4,
  }),
  approvals: fc.array(fc.constantFrom<Approval>(true, false, 'later'), { maxLength: 12 }),
  failures: fc.array(
    fc.option(fc.constantFrom<FakeFailure>('server_error', 'invalid_request', 'cut'), {
      nil: undefined,
      freq: 2,
    }),
    { maxLength: 12 },
  ),
  legs: fc.array(
    fc.oneof(
      fc.record({ parts: fc.nat({ max: 25 }) }),
      fc.constant('iterate' as const),
      fc.constant(undefined),
    ),
    { maxLength: 6 },
  ),
  maxSteps: fc.integer({ min: 1, max: 6 }),
});

const inputSchema = { type: 'object', properties: { at: { type: 'number' } }, required: ['at'] };

function partsIn<Type extends Part['type']>(messages: readonly Message[], type: Type) {
  return messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter((part) => part.type === type),
  ) as Extract<Part, { type: Type }>[];
}

/** Plays a world to the end of its run; each leg has a router of its own, as another process has. */
async function play({ plan, approvals, failures, legs, maxSteps }: World) {
  const runtime = fakeRuntime({ time: 'auto' });
  const decisions = approvals.values();
  const failing = failures.values();
  const asked = new Map<string, boolean>();
  const ran: string[] = [];

  /** The model answers by what it sees, so that each target gives the same answer. */
  const script = ({ messages }: ProviderRequest): FakeEntry => {
    const failure = failing.next().value;
    if (failure === 'cut') return { chunks: ['I', ' will'], cutAfter: 1 };
    if (failure !== undefined) return { error: failure };
    const answers = messages.filter(({ role }) => role === 'assistant').length;
    const calls = plan[answers];
    if (calls === undefined) return 'done';
    return { toolCalls: calls.map((name, at) => ({ name, input: { at } })) };
  };
  const tools: readonly RunnableTool[] = toolNames.map((name) =>
    defineTool({
      name,
      inputSchema,
      destructive: name === 'drop',
      timeoutMs: 1_000,
      async execute(_, { toolCallId }) {
        ran.push(toolCallId);
        if (name === 'slow') await runtime.sleep(500);
        if (name === 'stuck') await new Promise(() => undefined);
        if (name === 'broken') throw new Error('broken');
        return toolCallId;
      },
    }),
  );
  const decide = ({ id }: ToolCallPart<string, unknown>): Approval => {
    const decision = decisions.next().value ?? true;
    if (decision !== 'later') asked.set(id, decision);
    return decision;
  };
  const open = () =>
    createRouter({
      runtime,
      providers: { a: fakeProvider(script, { runtime }), b: fakeProvider(script, { runtime }) },
      tiers: { t: { targets: ['a/m', 'b/m'], retry: { attempts: 0 }, midStream: 'restart' } },
      plugins: [guardTools({ deny: ['banned'], destructive: ['guarded'] })],
    });

  const first = { tools, runtime, approve: decide, maxSteps };
  let run = runTools(open(), 't', 'go', first);
  let limit = maxSteps;
  for (let leg = 0; leg < 100; leg++) {
    const reader = legs[leg];
    let left = typeof reader === 'object' ? reader.parts : Number.POSITIVE_INFINITY;
    if (reader !== undefined) {
      try {
        for await (const _ of run) if (left-- <= 0) break;
      } catch {
        // The result has it.
      }
    }
    const result = await run.result.catch(() => undefined);
    if (result?.status === 'done') return { ...result, ran, asked };
    if (result?.status === 'max-steps') limit += 1;
    const state: RunState = JSON.parse(JSON.stringify(result?.state ?? run.checkpoint()));
    const { messages, steps } = state as unknown as RunResult<never, never>;
    // Its reader left at the last part.
    const isDone =
      messages.at(-1)?.role === 'assistant' &&
      partsIn(messages.slice(-1), 'tool-call').length === 0;
    if (isDone) return { messages, steps, ran, asked };
    const decided: Record<string, boolean> = {};
    const waiting = result?.status === 'suspended' ? result.pending : [];
    for (const call of waiting) {
      const decision = decide(call);
      if (decision !== 'later') decided[call.id] = decision;
    }
    run = resumeTools(open(), state, {
      ...{ tools, runtime, approve: decide, approvals: decided, maxSteps: limit },
    });
  }
  throw new Error('the run has no end');
}

/** What must hold for every run, whatever happened on the way. */
function check({ plan }: World, { messages, steps, ran, asked }: Awaited<ReturnType<typeof play>>) {
  const calls = partsIn(messages, 'tool-call');
  expect(calls.map(({ name }) => name)).toEqual(plan.flat());
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
  // Each answer is followed by one result for each of its calls, in their order.
  for (const [index, { role, content }] of messages.entries()) {
    const own =
      typeof content === 'string' ? [] : partsIn([{ role, content }] as Message[], 'tool-call');
    if (own.length === 0) continue;
    const results = partsIn(messages.slice(index + 1, index + 2), 'tool-result');
    expect(results.map(({ id }: ToolResultPart) => id)).toEqual(own.map(({ id }) => id));
  }
  expect(partsIn(messages, 'tool-result')).toHaveLength(calls.length);
  // No tool ran twice, none that was denied ran, and each that ran says so.
  expect(new Set(ran).size).toBe(ran.length);
  const records = steps.flatMap(({ tools }) => tools);
  expect(records).toHaveLength(calls.length);
  const ids = new Set(calls.map(({ id }) => id));
  expect(new Set(records.map(({ toolCallId }) => toolCallId))).toEqual(ids);
  const running = ['ok', 'error', 'timeout', 'interrupted'];
  for (const { toolCallId, name, status } of records) {
    expect([toolCallId, ran.includes(toolCallId)]).toEqual([toolCallId, running.includes(status)]);
    if (name === 'banned') expect(status).toBe('denied');
    if (destructive.includes(name)) expect(asked.get(toolCallId)).toBe(status !== 'denied');
  }
}

it('runs each call once, with one result, over failures, denials and suspensions', async () => {
  const property = fc.asyncProperty(worlds, async (world) => check(world, await play(world)));
  await fc.assert(property, { numRuns: Number(process.env.RUNS ?? 40), seed: 23 });
});
