import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anthropic } from '../../../src/adapters/anthropic/index.ts';
import { openaiChat } from '../../../src/adapters/openai-chat/index.ts';
import { openai } from '../../../src/adapters/openai-responses/index.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import type { ProviderPart } from '../../../src/protocol/stream-part.ts';
import { callProvider, contentOf, requestOf } from '../../support/provider-calls.ts';

type Fetch = typeof globalThis.fetch;

/** A body split at these offsets. */
function bodyOf(bytes: Uint8Array, cuts: readonly number[]): ReadableStream<Uint8Array> {
  const offsets = [...new Set([0, ...cuts, bytes.length])]
    .filter((at) => at <= bytes.length)
    .sort((a, b) => a - b);
  return new ReadableStream({
    start(controller) {
      for (const [index, end] of offsets.entries()) {
        if (index > 0) controller.enqueue(bytes.subarray(offsets[index - 1], end));
      }
      controller.close();
    },
  });
}

/** One delta: its text, its kind, and which variant of the other event fields it has. */
type Delta = {
  readonly kind: 'text' | 'reasoning' | 'other';
  readonly text: string;
  readonly more: 0 | 1 | 2 | 3 | 4 | 5;
};

/** A wire, and how it writes deltas. */
type Wire = {
  readonly name: string;
  readonly provider: (fetch: Fetch) => Provider;
  readonly events: (deltas: readonly Delta[]) => readonly string[];
};

const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { readonly type: string }) => `event: ${value.type}\n${data(value)}`;

/** Other fields of chunks. For fields whose last value wins, a chunk in between matters. */
const otherFields = [
  {},
  {},
  { service_tier: 'default' },
  { service_tier: 'flex' },
  { citations: ['https://a.test'] },
  { usage: { prompt_tokens: 1, completion_tokens: 5, total_tokens: 6 } },
];

function chatDelta({ kind, text, more }: Delta): object {
  if (kind === 'text') return { content: text };
  if (kind === 'reasoning' && more === 1) return { reasoning_content: '', reasoning: text };
  if (kind === 'reasoning') return { content: null, reasoning_content: text };
  return { content: text, annotations: [{ type: 'url_citation', url_citation: { url: text } }] };
}

const chat: Wire = {
  name: 'Chat Completions',
  provider: (fetch) => openaiChat({ baseURL: 'http://vendor.test/v1', fetch }),
  events(deltas) {
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
      ...deltas.map((delta, index) =>
        chunk(chatDelta(delta), index, delta.more === 3 ? 'length' : null, otherFields[delta.more]),
      ),
      chunk({}, 0, 'stop'),
      'data: [DONE]\n\n',
    ];
  },
};

function responsesEvent({ kind, text, more }: Delta) {
  const at = { item_id: 'msg_1', output_index: more === 5 ? 5 : 0, content_index: 0 };
  if (kind === 'text') return { type: 'response.output_text.delta', ...at, delta: text };
  if (kind === 'other') return { type: 'response.refusal.delta', ...at, delta: text };
  const summaryAt = { item_id: 'rs_1', output_index: 1, summary_index: 0 };
  return { type: 'response.reasoning_summary_text.delta', ...summaryAt, delta: text };
}

const responses: Wire = {
  name: 'Responses',
  provider: (fetch) => openai({ apiKey: 'k', baseURL: 'http://vendor.test/v1', fetch }),
  events(deltas) {
    const response = { id: 'r1', model: 'm-1', status: 'in_progress', output: [] };
    const events = [
      { type: 'response.created', response },
      ...deltas.map(responsesEvent),
      { type: 'response.completed', response: { ...response, status: 'completed' } },
    ];
    return events.map((event, index) =>
      named({ ...event, ...{ sequence_number: index, obfuscation: 'y'.repeat(index % 5) } }),
    );
  },
};

const deltaByKind = {
  text: (text: string) => ({ type: 'text_delta', text: text }),
  reasoning: (text: string) => ({ type: 'thinking_delta', thinking: text }),
  other: (text: string) => ({ type: 'citations_delta', citation: { url: text } }),
};

const messages: Wire = {
  name: 'Messages',
  provider: (fetch) => anthropic({ apiKey: 'k', baseURL: 'http://vendor.test', fetch }),
  events(deltas) {
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm-1', content: [] };
    const indexByKind = { text: 0, reasoning: 1, other: 0 };
    const events = [
      { type: 'message_start', message: { ...message, usage: { input_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'thinking', thinking: '' } },
      ...deltas.map(({ kind, text }) => ({
        type: 'content_block_delta',
        index: indexByKind[kind],
        delta: deltaByKind[kind](text),
      })),
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } },
      { type: 'message_stop' },
    ];
    return events.map(named);
  },
};

async function partsOf(
  wire: Wire,
  deltas: readonly Delta[],
  cuts: readonly number[],
  keepRaw: boolean,
): Promise<readonly ProviderPart[]> {
  const bytes = Buffer.from(wire.events(deltas).join(''));
  const provider = wire.provider(async () => new Response(bodyOf(bytes, cuts)));
  const parts = await callProvider(provider, requestOf({ model: 'm' }), { keepRaw });
  return parts.map((part) => (part.type === 'finish' ? { ...part, raw: undefined } : part));
}

const text = fc.oneof(
  fc.constantFrom(' token', 'a', '', 'ü', '日本', '"', 'line\n', '\\', '<think>', '</think>'),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
);
const delta = fc.record({
  kind: fc.constantFrom(...(['text', 'text', 'text', 'reasoning', 'other'] as const)),
  text,
  more: fc.constantFrom(...([0, 0, 0, 0, 0, 1, 2, 3, 4, 5] as const)),
});

describe.each([chat, responses, messages])('an answer of $name', (wire) => {
  // With `keepRaw`, every event is decoded.
  test('is the same whether events are decoded or matched against the previous one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(delta, { maxLength: 25 }),
        fc.array(fc.nat(5_000), { maxLength: 12 }),
        async (deltas, cuts) => {
          const decoded = await partsOf(wire, deltas, cuts, true);
          expect(await partsOf(wire, deltas, cuts, false)).toEqual(decoded);
        },
      ),
    );
  });

  test('does not decode events that differ only in their text', async () => {
    const deltas = Array.from({ length: 50 }, (_, index) => ({
      kind: 'text' as const,
      text: ` ${index}`,
      more: 0 as const,
    }));
    const parse = JSON.parse;
    let decoded = 0;
    JSON.parse = (...of) => {
      decoded += 1;
      return parse(...of);
    };
    try {
      const parts = await partsOf(wire, deltas, [], false);
      expect(contentOf(parts)).toMatchObject([{ text: deltas.map((each) => each.text).join('') }]);
    } finally {
      JSON.parse = parse;
    }
    expect(decoded).toBeLessThan(12);
  });
});
