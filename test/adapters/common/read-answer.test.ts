import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anthropic } from '../../../src/adapters/anthropic/index.ts';
import { openaiChat } from '../../../src/adapters/openai-chat/index.ts';
import { openai } from '../../../src/adapters/openai-responses/index.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import type { ProviderPart } from '../../../src/protocol/stream-part.ts';
import { callProvider, contentOf, requestOf } from '../../support/provider-calls.ts';

type Fetch = typeof globalThis.fetch;

/** A body in exactly these pieces. */
function bodyOf(bytes: Uint8Array, cuts: readonly number[]): ReadableStream<Uint8Array> {
  const places = [...new Set([0, ...cuts, bytes.length])]
    .filter((at) => at <= bytes.length)
    .sort((a, b) => a - b);
  return new ReadableStream({
    start(controller) {
      for (const [index, end] of places.entries()) {
        if (index > 0) controller.enqueue(bytes.subarray(places[index - 1], end));
      }
      controller.close();
    },
  });
}

/** One thing that a model says: what it is, of what kind, and which of several things its event says besides. */
type Saying = {
  readonly kind: 'text' | 'reasoning' | 'other';
  readonly words: string;
  readonly more: 0 | 1 | 2 | 3 | 4 | 5;
};

/** A wire, and how it says things. */
type Wire = {
  readonly name: string;
  readonly provider: (fetch: Fetch) => Provider;
  readonly events: (sayings: readonly Saying[]) => readonly string[];
};

const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string }) => `event: ${value.type}\n${data(value)}`;

/** What chunks say beside the delta: where the last word counts, a chunk in between makes a difference. */
const besides = [
  {},
  {},
  { service_tier: 'default' },
  { service_tier: 'flex' },
  { citations: ['https://a.test'] },
  { usage: { prompt_tokens: 1, completion_tokens: 5, total_tokens: 6 } },
];

function chatDelta({ kind, words, more }: Saying): object {
  if (kind === 'text') return { content: words };
  if (kind === 'reasoning' && more === 1) return { reasoning_content: '', reasoning: words };
  if (kind === 'reasoning') return { content: null, reasoning_content: words };
  return { content: words, annotations: [{ type: 'url_citation', url_citation: { url: words } }] };
}

const chat: Wire = {
  name: 'Chat Completions',
  provider: (fetch) => openaiChat({ baseURL: 'http://vendor.test/v1', fetch }),
  events(sayings) {
    const chunk = (delta: object, index: number, reason: string | null = null, more: object = {}) =>
      data({
        ...more,
        id: 'c1',
        created: 1_700_000_000 + index,
        model: 'm-1',
        choices: [{ index: 0, delta, finish_reason: reason }],
        obfuscation: 'x'.repeat(index % 7),
      });
    return [
      ...sayings.map((saying, index) =>
        chunk(chatDelta(saying), index, saying.more === 3 ? 'length' : null, besides[saying.more]),
      ),
      chunk({}, 0, 'stop'),
      'data: [DONE]\n\n',
    ];
  },
};

function responsesEvent({ kind, words, more }: Saying) {
  const at = { item_id: 'msg_1', output_index: more === 5 ? 5 : 0, content_index: 0 };
  if (kind === 'text') return { type: 'response.output_text.delta', ...at, delta: words };
  if (kind === 'other') return { type: 'response.refusal.delta', ...at, delta: words };
  const place = { item_id: 'rs_1', output_index: 1, summary_index: 0 };
  return { type: 'response.reasoning_summary_text.delta', ...place, delta: words };
}

const responses: Wire = {
  name: 'Responses',
  provider: (fetch) => openai({ apiKey: 'k', baseURL: 'http://vendor.test/v1', fetch }),
  events(sayings) {
    const response = { id: 'r1', model: 'm-1', status: 'in_progress', output: [] };
    const events = [
      { type: 'response.created', response },
      ...sayings.map(responsesEvent),
      { type: 'response.completed', response: { ...response, status: 'completed' } },
    ];
    return events.map((event, index) =>
      named({ ...event, ...{ sequence_number: index, obfuscation: 'y'.repeat(index % 5) } }),
    );
  },
};

const deltaByKind = {
  text: (words: string) => ({ type: 'text_delta', text: words }),
  reasoning: (words: string) => ({ type: 'thinking_delta', thinking: words }),
  other: (words: string) => ({ type: 'citations_delta', citation: { url: words } }),
};

const messages: Wire = {
  name: 'Messages',
  provider: (fetch) => anthropic({ apiKey: 'k', baseURL: 'http://vendor.test', fetch }),
  events(sayings) {
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm-1', content: [] };
    const placeByKind = { text: 0, reasoning: 1, other: 0 };
    const events = [
      { type: 'message_start', message: { ...message, usage: { input_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'thinking', thinking: '' } },
      ...sayings.map(({ kind, words }) => ({
        type: 'content_block_delta',
        index: placeByKind[kind],
        delta: deltaByKind[kind](words),
      })),
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } },
      { type: 'message_stop' },
    ];
    return events.map(named);
  },
};

async function partsOf(
  wire: Wire,
  sayings: readonly Saying[],
  cuts: readonly number[],
  keepRaw: boolean,
): Promise<readonly ProviderPart[]> {
  const bytes = Buffer.from(wire.events(sayings).join(''));
  const provider = wire.provider(async () => new Response(bodyOf(bytes, cuts)));
  const parts = await callProvider(provider, requestOf({ model: 'm' }), { keepRaw });
  return parts.map((part) => (part.type === 'finish' ? { ...part, raw: undefined } : part));
}

const words = fc.oneof(
  fc.constantFrom(' token', 'a', '', 'ü', '日本', '"', 'line\n', '\\', '<think>', '</think>'),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
);
const saying = fc.record({
  kind: fc.constantFrom(...(['text', 'text', 'text', 'reasoning', 'other'] as const)),
  words,
  more: fc.constantFrom(...([0, 0, 0, 0, 0, 1, 2, 3, 4, 5] as const)),
});

describe.each([chat, responses, messages])('an answer of $name', (wire) => {
  // With the raw events to be kept, every one of them is decoded.
  test('says the same whether events are decoded or compared with one before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(saying, { maxLength: 25 }),
        fc.array(fc.nat(5_000), { maxLength: 12 }),
        async (sayings, cuts) => {
          const decoded = await partsOf(wire, sayings, cuts, true);
          expect(await partsOf(wire, sayings, cuts, false)).toEqual(decoded);
        },
      ),
    );
  });

  test('does not decode events that differ only in their text', async () => {
    const sayings = Array.from({ length: 50 }, (_, index) => ({
      kind: 'text' as const,
      words: ` ${index}`,
      more: 0 as const,
    }));
    const parse = JSON.parse;
    let decoded = 0;
    JSON.parse = (...of) => {
      decoded += 1;
      return parse(...of);
    };
    try {
      const parts = await partsOf(wire, sayings, [], false);
      expect(contentOf(parts)).toMatchObject([
        { text: sayings.map((each) => each.words).join('') },
      ]);
    } finally {
      JSON.parse = parse;
    }
    expect(decoded).toBeLessThan(12);
  });
});
