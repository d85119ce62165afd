import { describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { JsonSchema } from '../../src/protocol/json.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { awsChunk } from '../support/aws-frames.ts';
import { type AnswerInChunks, byByte, chunkedFetch, inChunks } from '../support/chunked-fetch.ts';

/**
 * Answers are read in linear time. Each answer is read at one length and at four times that, measured in CPU time of this
 * thread: linear time is four times as much, quadratic time sixteen times.
 */
const factor = 4;
const maxGrowth = 9;
/** Measurements below this are noise. */
const noiseMs = 120;

type Wire = 'chat' | 'responses' | 'anthropic' | 'google';

function providerOf(wire: Wire, answer: () => AnswerInChunks): Provider {
  const settings = { apiKey: 'k', baseURL: 'http://vendor.test', fetch: chunkedFetch(answer) };
  switch (wire) {
    case 'responses':
      return openai(settings);
    case 'anthropic':
      return anthropic(settings);
    case 'google':
      return google(settings);
    default:
      return openaiChat(settings);
  }
}

type Case = {
  readonly wire?: Wire;
  readonly n: number;
  readonly schema?: JsonSchema;
  /** The vendor's answer, with a length of about `n`. */
  readonly answer: (n: number) => AnswerInChunks;
};

const sse = (events: Iterable<unknown>): AnswerInChunks => ({
  headers: { 'content-type': 'text/event-stream' },
  chunks: (function* () {
    for (const event of events) yield `data: ${JSON.stringify(event)}\n\n`;
    yield 'data: [DONE]\n\n';
  })(),
});

function* repeat<Value>(n: number, make: (index: number) => Value): Generator<Value> {
  for (let index = 0; index < n; index++) yield make(index);
}

function* joined<Value>(...all: readonly Iterable<Value>[]): Generator<Value> {
  for (const each of all) yield* each;
}

const chunk = (delta: object, finish_reason: string | null = null) => ({
  id: 'c',
  choices: [{ index: 0, delta, finish_reason }],
});
const completion = (content: string) =>
  JSON.stringify({
    id: 'c',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  });
const gemini = (parts: readonly object[], more: object = {}, facts: object = {}) => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
  ...facts,
});
const stop = [chunk({}, 'stop')];
const text = (n: number, of: string) => of.repeat(Math.ceil(n / of.length)).slice(0, n);

const cases: Readonly<Record<string, Case>> = {
  'white space before a body': {
    n: 200_000,
    answer: (n) => ({ chunks: [' '.repeat(n), completion('hi')] }),
  },
  'white space before a body, byte by byte': {
    n: 5_000,
    answer: (n) => ({
      chunks: joined<string | Uint8Array>(byByte(text(n, ' \n\t')), [completion('hi')]),
    }),
  },
  'white space after the beginning of a field name': {
    n: 5_000,
    answer: (n) => ({ chunks: joined<string | Uint8Array>(['dat'], byByte(' '.repeat(n))) }),
  },
  'a JSON body byte by byte': {
    n: 30_000,
    answer: (n) => ({ chunks: byByte(completion('a'.repeat(n))) }),
  },
  'one line of an event stream byte by byte': {
    n: 30_000,
    answer: (n) => ({
      chunks: joined<string | Uint8Array>(
        byByte(`data: ${JSON.stringify(chunk({ content: 'a'.repeat(n) }))}\n\n`),
        [`data: ${JSON.stringify(stop[0])}\n\n`],
      ),
    }),
  },
  'many data lines of one event': {
    n: 20_000,
    answer: (n) => ({ chunks: [`data:\n`.repeat(n), `data: ${completion('hi')}\n\n`] }),
  },
  'carriage returns': {
    n: 100_000,
    answer: (n) => ({ chunks: ['data: 1', '\r'.repeat(n), ...repeat(n / 20, () => '\r')] }),
  },
  'an AWS frame in small chunks': {
    wire: 'anthropic',
    n: 300_000,
    answer: (n) => ({
      headers: { 'content-type': 'application/vnd.amazon.eventstream' },
      chunks: inChunks(awsChunk({ type: 'ping', of: 'a'.repeat(n) }), 64),
    }),
  },
  'deltas of one character': {
    n: 4_000,
    answer: (n) =>
      sse(
        joined(
          repeat(n, () => chunk({ content: 'a' })),
          stop,
        ),
      ),
  },
  'beginnings of a think tag': {
    n: 4_000,
    answer: (n) =>
      sse(
        joined(
          repeat(n, () => chunk({ content: '<' })),
          stop,
        ),
      ),
  },
  'white space before a think tag': {
    n: 8_000,
    answer: (n) =>
      sse(
        joined(
          repeat(n, () => chunk({ content: ' ' })),
          stop,
        ),
      ),
  },
  'beginnings of the end of a think tag': {
    n: 4_000,
    answer: (n) =>
      sse(
        joined(
          [chunk({ content: '<think>' })],
          repeat(n, () => chunk({ content: '</' })),
          stop,
        ),
      ),
  },
  'arguments of one character': {
    n: 4_000,
    answer: (n) =>
      sse(
        joined(
          [
            chunk({
              tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"a":"' } }],
            }),
          ],
          repeat(n, () => chunk({ tool_calls: [{ index: 0, function: { arguments: '[' } }] })),
          [chunk({ tool_calls: [{ index: 0, function: { arguments: '"}' } }] }, 'tool_calls')],
        ),
      ),
  },
  'arguments before the name': {
    n: 4_000,
    answer: (n) =>
      sse(
        joined(
          repeat(n, () => chunk({ tool_calls: [{ index: 0, function: { arguments: ' ' } }] })),
          [chunk({ tool_calls: [{ index: 0, function: { name: 'f', arguments: '{}' } }] }, 'stop')],
        ),
      ),
  },
  'reasoning details with new members': {
    n: 2_000,
    answer: (n) =>
      sse(
        joined(
          repeat(n, (index) => chunk({ reasoning_details: [{ type: 't', [`m${index}`]: 1 }] })),
          stop,
        ),
      ),
  },
  'fences without an end': {
    n: 100_000,
    schema: {},
    answer: (n) => ({ chunks: [completion(`\`\`\`json ${text(n, '``` `')}x`)] }),
  },
  'white space after a fence': {
    n: 100_000,
    schema: {},
    answer: (n) => ({ chunks: [completion(`\`\`\`json${' '.repeat(n)}x`)] }),
  },
  'lists in lists': {
    n: 20_000,
    answer: (n) => ({ chunks: ['['.repeat(n), ']'.repeat(n)] }),
  },
  'white space in repeated events': {
    n: 900,
    answer: (n) => ({
      chunks: repeat(200, (index) =>
        index % 4 < 2
          ? `data: {${' '.repeat(n)}"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n`
          : `data: {"choices":[{"index":0,${' '.repeat(n)}"delta":{"content":"b"}}]}\n\n`,
      ),
    }),
  },
  'an error body of one long word': {
    n: 60_000,
    answer: (n) => ({
      status: 400,
      chunks: [JSON.stringify({ error: { message: text(n, 'exceeds the retry in 1') } })],
    }),
  },
  'an error inside a 200': {
    n: 400_000,
    answer: (n) => ({
      chunks: [JSON.stringify({ error: { message: text(n, 'input token count try again in 1') } })],
    }),
  },
  'headers about limits and waits': {
    n: 50_000,
    answer: (n) => ({
      status: 429,
      headers: {
        'retry-after': text(n, '1m'),
        'retry-after-ms': text(n, '9'),
        date: text(n, '('),
        'x-ratelimit-reset-requests': `${text(n, '1m')}x`,
        'x-ratelimit-remaining-requests': `${'1'.repeat(n)}.`,
        ratelimit: text(n, 'limit=1,;'),
      },
      chunks: ['{}'],
    }),
  },
  'citations of a text': {
    wire: 'google',
    n: 2_000,
    answer: (n) => {
      const words = 'é '.repeat(20 * n);
      const groundingSupports = Array.from({ length: n }, (_, index) => ({
        segment: { startIndex: 30 * index, endIndex: 30 * index + 3, text: `x${index}` },
        groundingChunkIndices: [0],
      }));
      const groundingMetadata = { groundingChunks: [{ web: { uri: 'u' } }], groundingSupports };
      const body = gemini([{ text: words }], { finishReason: 'STOP', groundingMetadata });
      return { chunks: [JSON.stringify(body)] };
    },
  },
  'citations with new members': {
    wire: 'google',
    n: 1_500,
    answer: (n) =>
      sse(
        repeat(n, (index) => gemini([{ text: 'a' }], { groundingMetadata: { [`m${index}`]: 1 } })),
      ),
  },
  'usage with new members': {
    wire: 'google',
    n: 1_500,
    answer: (n) =>
      sse(
        repeat(n, (index) => gemini([{ text: 'a' }], {}, { usageMetadata: { [`m${index}`]: 1 } })),
      ),
  },
  'blocks of one character': {
    wire: 'anthropic',
    n: 3_000,
    answer: (n) =>
      sse(
        joined<unknown>(
          [{ type: 'message_start', message: { id: 'm', model: 'm' } }],
          repeat(n, (index) => ({
            type: 'content_block_start',
            index,
            content_block: { type: 'text', text: 'a' },
          })),
        ),
      ),
  },
  'items of a response': {
    wire: 'responses',
    n: 1_500,
    answer: (n) => {
      const output = Array.from({ length: n }, (_, index) => ({
        type: 'message',
        id: `m${index}`,
        content: [{ type: 'output_text', text: 'a', annotations: [{ type: 'x', url: 'u' }] }],
      }));
      return { chunks: [JSON.stringify({ id: 'r', status: 'completed', output })] };
    },
  },
};

/** The CPU time of reading the answer in milliseconds. */
async function cpuMsOf({ wire = 'chat', answer, schema }: Case, n: number): Promise<number> {
  const router = createRouter({
    providers: { v: providerOf(wire, () => answer(n)) },
    tiers: { t: { targets: ['v/m'], maxAttempts: 1 } },
  });
  const before = process.threadCpuUsage();
  const options = schema === undefined ? {} : { schema, repairAttempts: 0 };
  await router.complete('t', 'hi', options).catch(() => undefined);
  const { user, system } = process.threadCpuUsage(before);
  await router.close();
  return (user + system) / 1_000;
}

async function leastOf(one: Case, n: number): Promise<number> {
  return Math.min(await cpuMsOf(one, n), await cpuMsOf(one, n), await cpuMsOf(one, n));
}

describe('the time to read an answer grows linearly with its length', () => {
  it.each(Object.entries(cases))('%s', async (_, one) => {
    await cpuMsOf(one, Math.ceil(one.n / 4));
    const short = await leastOf(one, one.n);
    const long = await leastOf(one, one.n * factor);
    expect(long).toBeLessThan(Math.max(noiseMs, short * maxGrowth));
  });
});
