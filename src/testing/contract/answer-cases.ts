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

/** The part without replay data, which may contain ids of the answer. */
function withoutOpaque(part: Part): unknown {
  const { opaque: _opaque, ...rest } = { opaque: undefined, ...part };
  return rest;
}

function omitRaw(usage: Usage | undefined): unknown {
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
    usage: omitRaw(usage),
  };
}

/** Answers of a vendor without faults. */
export const answerCases: Readonly<Record<string, CaseBody>> = {
  'streams a plain answer in several deltas, with the finish reason stop': async (subject) => {
    subject.simulator.answer(germanText);
    const outcome = await succeed(subject);
    assert.equal(outcome.text, germanText);
    assert.deepEqual(outcome.content.map(withoutOpaque), [{ type: 'text', text: germanText }]);
    const deltas = outcome.parts.filter(({ type }) => type === 'text-delta');
    assert.ok(deltas.length > 1, 'a stream has more than one delta');
    assert.equal(outcome.finish.finishReason, 'stop');
    assert.equal(lastRequest(subject).stream, true);
    assert.equal(lastRequest(subject).model, subject.model);
  },

  'requests and reads a unary answer': async (subject) => {
    subject.simulator.answer(germanText);
    const outcome = await succeed(subject, { transfer: 'unary' });
    assert.equal(outcome.text, germanText);
    assert.equal(lastRequest(subject).stream, false);
  },

  'reads an empty answer as one without parts': async (subject) => {
    subject.simulator.answer({ text: '' });
    for (const transfer of ['stream', 'unary'] as const) {
      const outcome = await succeed(subject, { transfer });
      assert.equal(outcome.text, '');
      assert.deepEqual(outcome.content, []);
    }
  },

  'reports the served model, the id and the request id': async (subject) => {
    subject.simulator.answer(rich);
    const { parts, finish } = await succeed(subject, richQuestion);
    const open = parts.find((part) => part.type === 'open');
    assert.equal(finish.servedModel ?? open?.servedModel, 'served-model-1');
    assert.ok((finish.id ?? open?.id ?? '') !== '', 'the answer has an id');
    if (subject.facts.hasRequestId) assert.match(open?.requestId ?? '', /^req_/);
  },

  'yields the same parts for a stream and a unary answer': async (subject) => {
    subject.simulator.answer(rich);
    const stream = await succeed(subject, richQuestion);
    const unary = await succeed(subject, { ...richQuestion, transfer: 'unary' });
    assert.deepEqual(shape(stream), shape(unary));
  },

  'reads JSON in response to a stream request': async (subject) => {
    subject.simulator.answer(rich);
    const expected = await succeed(subject, richQuestion);
    subject.simulator.fault({ type: 'ignore-stream' });
    assert.deepEqual(shape(await succeed(subject, richQuestion)), shape(expected));
  },

  'reads a stream in response to a unary request': async (subject) => {
    subject.simulator.answer(rich);
    const expected = await succeed(subject, { ...richQuestion, transfer: 'unary' });
    subject.simulator.fault({ type: 'stream-anyway' });
    const streamed = await succeed(subject, { ...richQuestion, transfer: 'unary' });
    assert.equal(streamed.text, expected.text);
    assert.deepEqual(streamed.content.map(withoutOpaque), expected.content.map(withoutOpaque));
  },

  'includes cached, cache-write and reasoning tokens in the usage totals': async (subject) => {
    subject.simulator.answer(rich);
    for (const transfer of ['stream', 'unary'] as const) {
      const { usage } = (await succeed(subject, { ...richQuestion, transfer })).finish;
      assert.equal(usage?.inputTokens, 20, 'inputTokens include cached tokens');
      assert.equal(usage?.outputTokens, 30, 'outputTokens include reasoning');
      assert.equal(usage?.totalTokens, 50);
      assert.equal(usage?.cachedInputTokens, 8);
      assert.equal(usage?.reasoningTokens, 7);
      if (subject.facts.reportsCacheWrites) assert.equal(usage?.cacheWriteTokens, 4);
      assert.ok(usage?.raw !== undefined, "the vendor's usage is kept in raw");
    }
  },

  "keeps the vendor's response only with keepRaw": async (subject) => {
    for (const transfer of ['stream', 'unary'] as const) {
      const kept = await succeed(subject, { transfer, keepRaw: true });
      assert.ok(JSON.stringify(kept.finish.raw).includes(subject.model));
      const withoutRaw = await succeed(subject, { transfer });
      assert.equal(withoutRaw.finish.raw, undefined);
    }
  },

  'reads characters that are split across chunks': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'odd-bytes', size: 1 });
    assert.equal((await succeed(subject)).text, germanText);
    assert.equal((await succeed(subject, { transfer: 'unary' })).text, germanText);
  },

  'reads a surrogate pair that is split across deltas': async (subject) => {
    subject.simulator.answer({ chunks: ['party \ud83c', '\udf89!'] });
    const outcome = await succeed(subject);
    assert.deepEqual(outcome.content.map(withoutOpaque), [{ type: 'text', text: 'party 🎉!' }]);
  },

  'reads lines that end with CR LF': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'crlf' });
    assert.equal((await succeed(subject)).text, germanText);
  },

  'accepts an answer with a finish reason but without the terminal marker': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'no-done' });
    assert.equal((await succeed(subject)).text, germanText);
  },

  'warns of an option that the wire does not support before sending': async (subject) => {
    const { param, request } = subject.facts.lacking;
    const prepared = subject.provider.prepare(requestOf(subject, request));
    const params = prepared.warnings.map(({ param }) => param);
    assert.ok(params.includes(param), `expected a warning for ${param}, got: ${params.join(', ')}`);
  },
};

/** One case for each finish reason that the wire has. */
export function finishReasonCases(facts: WireFacts): Readonly<Record<string, CaseBody>> {
  const entries = Object.entries(facts.finishReasons) as [FinishReason, FinishReason][];
  return Object.fromEntries(
    entries.map(([reason, read]): [string, CaseBody] => [
      `reports the finish reason "${reason}" as "${read}", with the vendor's raw value`,
      async (subject) => {
        const refusal = reason === 'refusal' ? { refusal: 'I would rather not.' } : {};
        subject.simulator.answer({ text: 'Some text.', ...refusal, finishReason: reason });
        for (const transfer of ['stream', 'unary'] as const) {
          const { finish } = await succeed(subject, { transfer });
          assert.equal(finish.finishReason, read);
          assert.ok(
            (finish.rawFinishReason ?? '') !== '',
            "the vendor's value is kept in rawFinishReason",
          );
        }
      },
    ]),
  );
}
