import { z } from 'zod';
import {
  type CallOptions,
  createRouter,
  type Json,
  type JsonSchema,
  type Message,
  type ToolCallPart,
} from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type Equal, expectType } from './expect-type.ts';

const router = createRouter({
  providers: { openai: fakeProvider(), anthropic: fakeProvider() },
  tiers: { fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
});

// `object` has the schema's output type, or is `undefined` without a schema.
const City = z.object({ city: z.string(), people: z.number().default(0) });
const { object } = await router.complete('fast', 'Where?', { schema: City });
expectType<Equal<typeof object, { city: string; people: number }>>(true);

const streamed = await router.stream('fast', 'Where?', { schema: City }).completion;
expectType<Equal<typeof streamed.object, { city: string; people: number }>>(true);

const plain = await router.complete('fast', 'Where?');
expectType<Equal<typeof plain.object, undefined>>(true);

const json = await router.complete('fast', 'Where?', {
  schema: { type: 'object', properties: { city: { type: 'string' } } },
});
expectType<Equal<typeof json.object, unknown>>(true);

// With tools, an answer may be tool calls without an object.
const aTool = { name: 'weather', inputSchema: z.object({ city: z.string() }) } as const;
type MaybeCity = { city: string; people: number } | undefined;
const either = await router.complete('fast', 'Where?', { schema: City, tools: [aTool] });
expectType<Equal<typeof either.object, MaybeCity>>(true);
// @ts-expect-error
either.object.city.toUpperCase();
const eitherStream = router.stream('fast', 'Where?', { schema: City, tools: [aTool] });
expectType<Equal<Awaited<typeof eitherStream.completion>['object'], MaybeCity>>(true);
for await (const part of eitherStream) {
  if (part.type === 'finish') {
    expectType<Equal<typeof part.completion.object, MaybeCity>>(true);
    // @ts-expect-error
    part.completion.object.city.toUpperCase();
  }
}
await router.complete('fast', 'Where?', {
  schema: City,
  tools: [aTool],
  // @ts-expect-error
  validate: ({ object: found }) => found.people > 0,
});
// The type does not depend on the values of `toolChoice` and `tools`.
const chosenNone = await router.complete('fast', 'Where?', {
  schema: City,
  tools: [aTool],
  toolChoice: 'none',
});
expectType<Equal<typeof chosenNone.object, MaybeCity>>(true);
const emptyList = await router.complete('fast', 'Where?', { schema: City, tools: [] });
expectType<Equal<typeof emptyList.object, MaybeCity>>(true);
// Optional tools count as tools.
declare const maybeTools: readonly (typeof aTool)[] | undefined;
const maybe = await router.complete('fast', 'Where?', { schema: City, tools: maybeTools });
expectType<Equal<typeof maybe.object, MaybeCity>>(true);
declare const wide: CallOptions<'openai', typeof City>;
const byWide = await router.complete('fast', 'Where?', wide);
expectType<Equal<typeof byWide.object, MaybeCity>>(true);
const bySpread = await router.complete('fast', 'Where?', { ...wide, schema: City });
expectType<Equal<typeof bySpread.object, MaybeCity>>(true);
declare const mayHaveTools:
  | { schema: typeof City }
  | { schema: typeof City; tools: [typeof aTool] };
const byUnion = await router.complete('fast', 'Where?', mayHaveTools);
expectType<Equal<typeof byUnion.object, MaybeCity>>(true);
declare const anyTools: ReturnType<typeof JSON.parse>;
const byAny = await router.complete('fast', 'Where?', { schema: City, tools: anyTools });
expectType<Equal<typeof byAny.object, MaybeCity>>(true);
declare const wrapped: { schema: typeof City; tools?: readonly (typeof aTool)[] };
const byWrapped = await router.complete('fast', 'Where?', wrapped);
expectType<Equal<typeof byWrapped.object, MaybeCity>>(true);
// Without tools, `object` is always defined.
const noTools = await router.complete('fast', 'Where?', { schema: City, tools: undefined });
expectType<Equal<typeof noTools.object, { city: string; people: number }>>(true);
declare const withoutTools: CallOptions<'openai', typeof City, undefined>;
const byNone = await router.complete('fast', 'Where?', withoutTools);
expectType<Equal<typeof byNone.object, { city: string; people: number }>>(true);
// Tier options do not include tools.
createRouter({
  providers: { openai: fakeProvider() },
  // @ts-expect-error
  tiers: { fast: { targets: ['openai/gpt-5.4-mini'], tools: [aTool] } },
});

// Tool calls are discriminated by name, and a Standard Schema types `input`.
const withTools = await router.complete('fast', 'Book it', {
  tools: [
    { name: 'weather', inputSchema: z.object({ city: z.string() }) },
    { name: 'book', inputSchema: z.object({ seats: z.int() }), description: 'Books seats.' },
    { name: 'free', inputSchema: { type: 'object' } },
  ],
});
for (const call of withTools.toolCalls) {
  expectType<Equal<typeof call.name, 'weather' | 'book' | 'free'>>(true);
  if (call.name === 'weather') expectType<Equal<typeof call.input, { city: string }>>(true);
  if (call.name === 'book') expectType<Equal<typeof call.input, { seats: number }>>(true);
  if (call.name === 'free') expectType<Equal<typeof call.input, Json>>(true);
  // @ts-expect-error
  if (call.name === 'wether') break;
}
expectType<Equal<typeof plain.toolCalls, readonly ToolCallPart[]>>(true);

// `validate` gets the typed answer.
await router.complete('fast', 'Where?', {
  schema: City,
  validate: ({ object: found }) => {
    expectType<Equal<typeof found, { city: string; people: number }>>(true);
    return found.people > 0 || 'a city has people';
  },
});
await router.complete('fast', 'Where?', {
  // @ts-expect-error
  validate: () => 1,
});

// Every option in one call.
const signal = new AbortController().signal;
await router.complete('fast', [{ role: 'user', content: 'hello' }], {
  system: 'Be brief.',
  toolChoice: { name: 'weather' },
  parallelToolCalls: false,
  maxOutputTokens: 100,
  temperature: 0.2,
  topP: 0.9,
  topK: 40,
  frequencyPenalty: 0.1,
  presencePenalty: 0.1,
  stop: ['END'],
  seed: 7,
  reasoning: { effort: 'high', budgetTokens: 2_000, include: true },
  cache: { ttl: '1h' },
  userId: 'u-1',
  tags: { feature: 'search' },
  signal,
  timeouts: { connectMs: 1, firstTokenMs: 1, idleMs: 1, totalMs: 1 },
  retry: { attempts: 0, minMs: 1, maxMs: 1 },
  transfer: 'unary',
  route: {
    only: ['openai'],
    ignore: ['anthropic/claude-haiku-4-5'],
    order: ['anthropic', 'openai'],
  },
  onUnsupported: 'skip-target',
  providerOptions: { openai: { service_tier: 'flex' }, anthropic: { metadata: { a: [1, null] } } },
  repairAttempts: 0,
  raw: true,
});

// Unknown options, unknown nested options and invalid values do not compile.
// @ts-expect-error
await router.complete('fast', 'hello', { maxTokens: 100 });
// @ts-expect-error
router.stream('fast', 'hello', { maxTokens: 100 });
// @ts-expect-error
await router.complete('fast', 'hello', { timeouts: { total: 5 } });
// @ts-expect-error
await router.complete('fast', 'hello', { reasoning: { effort: 'extreme' } });
// @ts-expect-error
await router.complete('fast', 'hello', { onUnsupported: 'ignore' });
// @ts-expect-error
await router.complete('fast', 'hello', { tags: { feature: 1 } });

// `providerOptions` and `route` accept configured providers and their targets only.
// @ts-expect-error
await router.complete('fast', 'hello', { providerOptions: { google: { a: 1 } } });
// @ts-expect-error
await router.complete('fast', 'hello', { providerOptions: { openai: { a: () => 1 } } });
// @ts-expect-error
await router.complete('fast', 'hello', { route: { only: ['google'] } });
// @ts-expect-error
await router.complete('fast', 'hello', { route: { order: ['google/gemini-3-flash'] } });
// @ts-expect-error
await router.complete('fast', 'hello', { route: { ignore: ['opnai/gpt-5.4-mini'] } });

// Messages are typed.
const messages: readonly Message[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'text', text: 'hello' }] },
  { role: 'tool', content: [{ type: 'tool-result', id: '1', name: 'weather', output: { c: 20 } }] },
];
await router.complete('fast', messages);
// @ts-expect-error
await router.complete('fast', [{ role: 'human', content: 'hello' }]);
// @ts-expect-error
await router.complete('fast', [{ role: 'user', content: [{ type: 'video', url: 'x' }] }]);

// The content of an answer can be sent back unchanged.
await router.complete('fast', [...messages, { role: 'assistant', content: plain.content }]);

// A wrapper can pass options through.
const shared: CallOptions<'openai' | 'anthropic'> = { temperature: 0 };
await router.complete('fast', 'hello', { ...shared, schema: City });
declare const schema: JsonSchema;
await router.complete('fast', 'hello', { schema });
