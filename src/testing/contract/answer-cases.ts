import assert from 'node:assert/strict';
import type { FinishReason } from '../../protocol/completion.ts';
import type { Part } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import {
  type CaseBody,
  germanText,
  lastRequest,
  type Outcome,
  requestOf,
  succeed,
} from './probe.ts';
import type { WireFacts } from './wire-facts.ts';

const rich = {
  text: germanText,
  reasoning: 'Thinking about greetings at some length.',
  toolCalls: [{ id: 'tool_a', name: 'weather', input: { city: 'Zürich' } }],
  usage: {
    inputTokens: 20,
    outputTokens: 30,
    cachedInputTokens: 8,
    cacheWriteTokens: 4,
    reasoningTokens: 7,
  },
  model: 'served-model-1',
} as const;

const weather = {
  name: 'weather',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
} as const;

const richQuestion = {
  request: { tools: [weather], reasoning: { effort: 'low', include: true } },
} as const;

/** The part without replay data, which may hold ids of the one answer. */
function withoutOpaque(part: Part): unknown {
  const { opaque: _opaque, ...rest } = { opaque: undefined, ...part };
  return rest;
}

function withoutRaw(usage: Usage | undefined): unknown {
  const { raw: _raw, ...rest } = usage ?? { raw: undefined };
  return rest;
}

function shape({ content, finish }: Outcome): unknown {
  const { finishReason, rawFinishReason, servedModel, usage } = finish ?? {};
  return {
    content: content.map(withoutOpaque),
    finishReason,
    rawFinishReason,
    servedModel,
    usage: withoutRaw(usage),
  };
}

/** Answers of a vendor in good health. */
export const answerCases: Readonly<Record<string, CaseBody>> = {
  'a plain answer comes in pieces and ends with a stop': async (subject) => {
    subject.simulator.answer(germanText);
    const outcome = await succeed(subject);
    assert.equal(outcome.text, germanText);
    assert.deepEqual(outcome.content.map(withoutOpaque), [{ type: 'text', text: germanText }]);
    const deltas = outcome.parts.filter(({ type }) => type === 'text-delta');
    assert.ok(deltas.length > 1, 'a stream comes in more than one piece');
    assert.equal(outcome.finish.finishReason, 'stop');
    assert.equal(lastRequest(subject).stream, true);
    assert.equal(lastRequest(subject).model, subject.model);
  },

  'a unary answer is asked for as one, and read': async (subject) => {
    subject.simulator.answer(germanText);
    const outcome = await succeed(subject, { transfer: 'unary' });
    assert.equal(outcome.text, germanText);
    assert.equal(lastRequest(subject).stream, false);
  },

  'an empty answer is an answer without parts': async (subject) => {
    subject.simulator.answer({ text: '' });
    for (const transfer of ['stream', 'unary'] as const) {
      const outcome = await succeed(subject, { transfer });
      assert.equal(outcome.text, '');
      assert.deepEqual(outcome.content, []);
    }
  },

  'the served model, the id and the request id are told': async (subject) => {
    subject.simulator.answer(rich);
    const { parts, finish } = await succeed(subject, richQuestion);
    const open = parts.find((part) => part.type === 'open');
    assert.equal(finish.servedModel ?? open?.servedModel, 'served-model-1');
    assert.ok((finish.id ?? open?.id ?? '') !== '', 'the answer has an id');
    if (subject.facts.hasRequestId) assert.match(open?.requestId ?? '', /^req_/);
  },

  'a stream and a unary answer give the same parts': async (subject) => {
    subject.simulator.answer(rich);
    const stream = await succeed(subject, richQuestion);
    const unary = await succeed(subject, { ...richQuestion, transfer: 'unary' });
    assert.deepEqual(shape(stream), shape(unary));
  },

  'JSON in answer to a stream request is understood': async (subject) => {
    subject.simulator.answer(rich);
    const asked = await succeed(subject, richQuestion);
    subject.simulator.fault({ type: 'ignore-stream' });
    assert.deepEqual(shape(await succeed(subject, richQuestion)), shape(asked));
  },

  'a stream in answer to a unary request is understood': async (subject) => {
    subject.simulator.answer(rich);
    const asked = await succeed(subject, { ...richQuestion, transfer: 'unary' });
    subject.simulator.fault({ type: 'stream-anyway' });
    const streamed = await succeed(subject, { ...richQuestion, transfer: 'unary' });
    assert.equal(streamed.text, asked.text);
    assert.deepEqual(streamed.content.map(withoutOpaque), asked.content.map(withoutOpaque));
  },

  'usage counts cached, written and reasoning tokens in the totals': async (subject) => {
    subject.simulator.answer(rich);
    for (const transfer of ['stream', 'unary'] as const) {
      const { usage } = (await succeed(subject, { ...richQuestion, transfer })).finish;
      assert.equal(usage?.inputTokens, 20, 'inputTokens include what the cache held');
      assert.equal(usage?.outputTokens, 30, 'outputTokens include reasoning');
      assert.equal(usage?.totalTokens, 50);
      assert.equal(usage?.cachedInputTokens, 8);
      assert.equal(usage?.reasoningTokens, 7);
      if (subject.facts.tellsCacheWrites) assert.equal(usage?.cacheWriteTokens, 4);
      assert.ok(usage?.raw !== undefined, "the vendor's own usage is kept");
    }
  },

  "the vendor's response is kept when asked for, and only then": async (subject) => {
    for (const transfer of ['stream', 'unary'] as const) {
      const kept = await succeed(subject, { transfer, keepRaw: true });
      assert.ok(JSON.stringify(kept.finish.raw).includes(subject.model));
      const not = await succeed(subject, { transfer });
      assert.equal(not.finish.raw, undefined);
    }
  },

  'characters survive being split over bytes': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'odd-bytes', size: 1 });
    assert.equal((await succeed(subject)).text, germanText);
    assert.equal((await succeed(subject, { transfer: 'unary' })).text, germanText);
  },

  'a surrogate pair survives being split over two deltas': async (subject) => {
    subject.simulator.answer({ chunks: ['party \ud83c', '\udf89!'] });
    const outcome = await succeed(subject);
    assert.deepEqual(outcome.content.map(withoutOpaque), [{ type: 'text', text: 'party 🎉!' }]);
  },

  'lines may end with CR LF': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'crlf' });
    assert.equal((await succeed(subject)).text, germanText);
  },

  'a finish reason is enough of an end: the last marker may be missing': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'no-done' });
    assert.equal((await succeed(subject)).text, germanText);
  },

  'an option that the wire lacks is warned of before sending': async (subject) => {
    const { param, request } = subject.facts.lacking;
    const prepared = subject.provider.prepare(requestOf(subject, request));
    const params = prepared.warnings.map(({ param }) => param);
    assert.ok(params.includes(param), `no warning of ${param}, but of: ${params.join(', ')}`);
  },
};

/** One case for each finish reason that the wire has a word for. */
export function finishReasonCases(facts: WireFacts): Readonly<Record<string, CaseBody>> {
  const entries = Object.entries(facts.finishReasons) as [FinishReason, FinishReason][];
  return Object.fromEntries(
    entries.map(([reason, read]): [string, CaseBody] => [
      `the finish reason "${reason}" is told as "${read}", beside the vendor's word`,
      async (subject) => {
        const refusal = reason === 'refusal' ? { refusal: 'I would rather not.' } : {};
        subject.simulator.answer({ text: 'Some text.', ...refusal, finishReason: reason });
        for (const transfer of ['stream', 'unary'] as const) {
          const { finish } = await succeed(subject, { transfer });
          assert.equal(finish.finishReason, read);
          assert.ok((finish.rawFinishReason ?? '') !== '', "the vendor's own word is kept");
        }
      },
    ]),
  );
}
