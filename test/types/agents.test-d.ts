import { z } from 'zod';
import { defineTool, resumeTools, runTools } from '../../src/agents.ts';
import { createRouter, type Json, type ToolCallPart } from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type Equal, expectType } from './expect-type.ts';

const router = createRouter({
  providers: { openai: fakeProvider(), anthropic: fakeProvider() },
  tiers: { fast: ['openai/gpt-5.4-mini'], smart: ['anthropic/claude-haiku-4-5'] },
});

// The name and the input are inferred; the input is what the schema returns.
const weather = defineTool({
  name: 'weather',
  inputSchema: z.object({ city: z.string(), days: z.coerce.number().default(1) }),
  execute(input, { signal, toolCallId, runId, step }) {
    expectType<Equal<typeof input, { city: string; days: number }>>(true);
    expectType<Equal<typeof signal, AbortSignal>>(true);
    expectType<Equal<typeof step, number>>(true);
    return { id: `${runId} ${toolCallId}` };
  },
});
expectType<Equal<typeof weather.name, 'weather'>>(true);

// Plain JSON Schema has no type.
const drop = defineTool({
  name: 'drop',
  destructive: true,
  timeoutMs: 1_000,
  inputSchema: { type: 'object' },
  execute(input) {
    expectType<Equal<typeof input, Json>>(true);
  },
});

// An object with an interface as its type is a result too.
interface Row {
  readonly id: number;
}
defineTool({ name: 'rows', inputSchema: {}, execute: (): readonly Row[] => [{ id: 1 }] });

defineTool({
  name: 'wrong',
  inputSchema: z.object({ city: z.string() }),
  // @ts-expect-error
  execute: ({ town }) => town,
});
// @ts-expect-error
defineTool({ name: 'wrong', inputSchema: z.object({ city: z.string() }) });

const tools = [weather, drop];
const run = runTools(router, 'fast', 'hello', {
  tools,
  maxSteps: 3,
  maxUsd: 0.5,
  tags: { feature: 'chat' },
  approve(call) {
    if (call.name === 'weather') {
      expectType<Equal<typeof call.input, { city: string; days: number }>>(true);
      return call.input.days < 3;
    }
    expectType<Equal<typeof call.name, 'drop'>>(true);
    expectType<Equal<typeof call.input, Json>>(true);
    return 'later';
  },
});
runTools(router, 'fast', 'hello', {
  tools,
  // @ts-expect-error
  approve: ({ name }) => name === 'wether',
});
// @ts-expect-error
runTools(router, 'fast', 'hello', { tools, approve: () => 'never' });
// @ts-expect-error
runTools(router, 'slow', 'hello', { tools });
// @ts-expect-error
runTools(router, 'fast', 'hello', {});
// @ts-expect-error
runTools(router, 'fast', 'hello', { tools: [{ name: 'x', inputSchema: {} }] });

// Parts are a union discriminated by `type`.
for await (const part of run) {
  if (part.type === 'text-delta') expectType<Equal<typeof part.delta, string>>(true);
  if (part.type === 'tool-result') {
    expectType<Equal<typeof part.result.name, string>>(true);
    if (part.status === 'denied') console.log(part.result.output);
  }
  if (part.type === 'finish') {
    const [call] = part.completion.toolCalls;
    if (call?.name === 'weather') expectType<Equal<typeof call.input.city, string>>(true);
  }
  // @ts-expect-error
  if (part.type === 'tool-ended') console.log(part);
}

// The result is one discriminated by `status`.
const result = await run.result;
expectType<Equal<typeof result.usd, number | null>>(true);
if (result.status === 'done') {
  expectType<Equal<typeof result.completion.tier, 'fast'>>(true);
  expectType<Equal<typeof result.completion.object, undefined>>(true);
  // @ts-expect-error
  console.log(result.state);
}
if (result.status === 'suspended') {
  for (const call of result.pending) {
    expectType<Equal<typeof call.name, 'weather' | 'drop'>>(true);
  }
  const resumed = resumeTools(router, result.state, { tools, approvals: { a: true } });
  expectType<
    Equal<Awaited<typeof resumed.result>['status'], typeof result.status | 'done' | 'max-steps'>
  >(true);
  // @ts-expect-error
  resumeTools(router, result.state, { tools, approvals: { a: 'later' } });
  // @ts-expect-error
  resumeTools(router, JSON.stringify(result.state), { tools });
  // @ts-expect-error
  resumeTools(router, result.state, { tools, tier: 'slow' });
  // The result of `JSON.parse` and of most databases.
  const parsed: { readonly [name: string]: unknown } = JSON.parse('{}');
  resumeTools(router, parsed, { tools, tier: () => 'smart' });
}

// The tier of each step.
const chosen = runTools(
  router,
  ({ index, usd, messages }) => {
    expectType<Equal<typeof usd, number | null>>(true);
    return index === 0 && messages.length > 0 ? 'smart' : 'fast';
  },
  'hello',
  { tools: [], schema: z.object({ answer: z.string() }) },
);
const ended = await chosen.result;
if (ended.status === 'done') {
  expectType<Equal<typeof ended.completion.tier, 'smart' | 'fast'>>(true);
  expectType<Equal<typeof ended.completion.object, { answer: string } | undefined>>(true);
}
// @ts-expect-error
runTools(router, ({ index }) => (index === 0 ? 'smart' : 'slow'), 'hello', { tools });

// Tools of other sources, such as an MCP server.
declare const others: readonly import('../../src/agents.ts').RunnableTool[];
const mixed = await runTools(router, 'fast', 'hello', { tools: [weather, ...others] }).result;
if (mixed.status === 'suspended') {
  const [call] = mixed.pending;
  if (call !== undefined) expectType<Equal<typeof call.name, string>>(true);
}
const untyped = await runTools(router, 'fast', 'hello', { tools: others }).result;
if (untyped.status === 'suspended')
  expectType<Equal<typeof untyped.pending, readonly ToolCallPart<string, unknown>[]>>(true);
