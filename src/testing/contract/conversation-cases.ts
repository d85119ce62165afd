import assert from 'node:assert/strict';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type { NormalTool, ProviderRequest } from '../../protocol/request.ts';
import { textOf } from '../../wires/common/read.ts';
import { type CaseBody, lastRequest, type Subject, succeed } from './probe.ts';

const weather: NormalTool = {
  name: 'weather',
  description: 'Returns the weather-marker.',
  inputSchema: {
    type: 'object',
    properties: { city_marker: { type: 'string' } },
    required: ['city_marker'],
    additionalProperties: false,
  },
};

const signature = Buffer.from('contract signature').toString('base64');

function text(role: NormalMessage['role'], words: string): NormalMessage {
  return { role, content: [{ type: 'text', text: words }] };
}

/** The body of the last request, as text. */
function sentBody(subject: Subject): string {
  return JSON.stringify(lastRequest(subject).body);
}

function assertInOrder(body: string, words: readonly string[]): void {
  const positions = words.map((word) => body.indexOf(word));
  assert.ok(!positions.includes(-1), `the request contains: ${words.join(', ')}`);
  assert.deepEqual(
    positions,
    positions.toSorted((one, other) => one - other),
  );
}

/** Gets an answer with reasoning, and sends it back with a second question. Returns the second request's body. */
async function continueConversation(
  subject: Subject,
  change: (part: Part) => Part,
): Promise<string> {
  subject.simulator.answer({
    reasoning: 'Pondering at length.',
    reasoningSignature: signature,
    text: 'A considered answer.',
  });
  const reasoning: ProviderRequest['reasoning'] = { effort: 'low', include: true };
  const { content } = await succeed(subject, { request: { reasoning } });
  await succeed(subject, {
    request: {
      reasoning,
      messages: [
        text('user', 'A first question.'),
        { role: 'assistant', content: content.map(change) },
        text('user', 'A second question.'),
      ],
    },
  });
  return sentBody(subject);
}

function fromElsewhere(part: Part): Part {
  if (!('opaque' in part) || part.opaque === undefined) return part;
  return { ...part, opaque: { ...part.opaque, provider: 'elsewhere' } };
}

/** Conversations of several turns. */
export const conversationCases: Readonly<Record<string, CaseBody>> = {
  'sends the turns of a conversation in order': async (subject) => {
    await succeed(subject, {
      request: {
        messages: [
          text('user', 'turn-one'),
          text('assistant', 'turn-two'),
          text('user', 'turn-three'),
        ],
      },
    });
    assertInOrder(sentBody(subject), ['turn-one', 'turn-two', 'turn-three']);
  },

  'sends the system prompt': async (subject) => {
    await succeed(subject, {
      request: { messages: [text('system', 'system-marker'), text('user', 'Hello.')] },
    });
    assertInOrder(sentBody(subject), ['system-marker']);
  },

  'sends a conversation with a blank turn': async (subject) => {
    await succeed(subject, {
      request: {
        messages: [text('user', 'Hello.'), text('assistant', '  '), text('user', 'More.')],
      },
    });
  },

  'sends tools and reads parallel calls': async (subject) => {
    subject.simulator.answer({
      toolCalls: [
        { name: 'weather', input: { city_marker: 'Zürich' } },
        { name: 'weather', input: { city_marker: '東京' } },
      ],
    });
    for (const transfer of ['stream', 'unary'] as const) {
      const { content, finish } = await succeed(subject, {
        transfer,
        request: { tools: [weather] },
      });
      assertInOrder(sentBody(subject), ['weather-marker', 'city_marker']);
      const calls = content.filter((part) => part.type === 'tool-call');
      assert.deepEqual(
        calls.map(({ name, input }) => ({ name, input })),
        [
          { name: 'weather', input: { city_marker: 'Zürich' } },
          { name: 'weather', input: { city_marker: '東京' } },
        ],
      );
      assert.equal(new Set(calls.map(({ id }) => id)).size, 2, 'each call has its own id');
      assert.equal(finish.finishReason, 'tool_calls');
    }
  },

  'sends tool results paired with their calls': async (subject) => {
    subject.simulator.answer({
      toolCalls: [
        { id: 'tool_a', name: 'weather', input: { city_marker: 'Zürich' } },
        { id: 'tool_b', name: 'weather', input: { city_marker: '東京' } },
      ],
    });
    const { content } = await succeed(subject, { request: { tools: [weather] } });
    const results = content.flatMap((part): readonly Part[] =>
      part.type === 'tool-call'
        ? [{ type: 'tool-result', id: part.id, name: part.name, output: `result-of-${part.id}` }]
        : [],
    );
    subject.simulator.answer('Sunny.');
    await succeed(subject, {
      request: {
        tools: [weather],
        messages: [
          text('user', 'And the weather?'),
          { role: 'assistant', content },
          { role: 'tool', content: results },
        ],
      },
    });
    assertInOrder(sentBody(subject), ['result-of-tool_a', 'result-of-tool_b']);
    const ids = subject.facts.toolIds(lastRequest(subject).body);
    assert.equal(ids.calls.length, 2);
    assert.deepEqual(ids.results, ids.calls);
  },

  'reads a tool call without arguments': async (subject) => {
    subject.simulator.answer({ toolCalls: [{ name: 'weather', rawInput: '' }] });
    const { content } = await succeed(subject, { request: { tools: [weather] } });
    assert.deepEqual(
      content.map((part) => part.type === 'tool-call' && part.input),
      [{}],
    );
  },

  'requests structured output by its schema': async (subject) => {
    const { text: json } = await succeed(subject, {
      request: { output: { name: 'location', schema: weather.inputSchema } },
    });
    assertInOrder(sentBody(subject), ['city_marker']);
    const object: unknown = JSON.parse(json);
    assert.ok(typeof object === 'object' && object !== null && 'city_marker' in object);
  },

  'separates reasoning from text': async (subject) => {
    subject.simulator.answer({ reasoning: 'Pondering at length.', text: 'An answer.' });
    const request = { reasoning: { effort: 'low', include: true } } as const;
    for (const transfer of ['stream', 'unary'] as const) {
      const { text: answer, content } = await succeed(subject, { transfer, request });
      assert.equal(answer, 'An answer.');
      const thought = content.map((part) => (part.type === 'reasoning' ? part.text : ''));
      const expected = subject.facts.showsReasoning ? 'Pondering at length.' : '';
      assert.equal(thought.join(''), expected);
    }
  },

  'sends reasoning with its signature back to the same provider': async (subject) => {
    const body = await continueConversation(subject, (part) => part);
    assertInOrder(body, ['A first question.', 'A considered answer.', 'A second question.']);
    if (subject.facts.signsReasoning) assertInOrder(body, [signature]);
  },

  'does not send the reasoning of another provider': async (subject) => {
    const body = await continueConversation(subject, fromElsewhere);
    assertInOrder(body, ['A considered answer.']);
    assert.ok(!body.includes(signature), 'no signature is sent to another provider');
    assert.ok(!body.includes('Pondering at length.'), 'no reasoning is sent as text');
  },

  'merges extra options into the body last': async (subject) => {
    await succeed(subject, { request: { extraBody: { marker_option: 'extra-marker' } } });
    assert.equal(textOf(lastRequest(subject).body.marker_option), 'extra-marker');
  },
};

/** Cases for wires that send arguments as text. */
export const textInputCases: Readonly<Record<string, CaseBody>> = {
  'keeps arguments that are not JSON and marks them as invalid': async (subject) => {
    subject.simulator.answer({ toolCalls: [{ name: 'weather', rawInput: '{"city_marker":' }] });
    const { content } = await succeed(subject, { request: { tools: [weather] } });
    const [call] = content;
    assert.ok(call?.type === 'tool-call' && call.invalid === true);
    assert.equal(call.rawInput, '{"city_marker":');
  },
};
