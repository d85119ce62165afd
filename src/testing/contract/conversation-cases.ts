import assert from 'node:assert/strict';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type { NormalTool, ProviderRequest } from '../../protocol/request.ts';
import { textOf } from '../../wires/common/read.ts';
import { type CaseBody, lastRequest, type Subject, succeed } from './probe.ts';

const weather: NormalTool = {
  name: 'weather',
  description: 'Tells the weather-marker.',
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
  const places = words.map((word) => body.indexOf(word));
  assert.ok(!places.includes(-1), `reaches the wire: ${words.join(', ')}`);
  assert.deepEqual(
    places,
    places.toSorted((one, other) => one - other),
  );
}

/** Has the model think, and answers what it said with another question. */
async function goOn(subject: Subject, change: (part: Part) => Part): Promise<string> {
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

function minted(part: Part): Part {
  if (!('opaque' in part) || part.opaque === undefined) return part;
  return { ...part, opaque: { ...part.opaque, provider: 'elsewhere' } };
}

/** What goes back and forth over several turns. */
export const conversationCases: Readonly<Record<string, CaseBody>> = {
  'the turns of a conversation reach the wire in order': async (subject) => {
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

  'the system prompt reaches the wire': async (subject) => {
    await succeed(subject, {
      request: { messages: [text('system', 'system-marker'), text('user', 'Hello.')] },
    });
    assertInOrder(sentBody(subject), ['system-marker']);
  },

  'a blank turn does not make the vendor refuse the others': async (subject) => {
    await succeed(subject, {
      request: {
        messages: [text('user', 'Hello.'), text('assistant', '  '), text('user', 'More.')],
      },
    });
  },

  'tools reach the wire, and parallel calls come back': async (subject) => {
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
      assert.equal(new Set(calls.map(({ id }) => id)).size, 2, 'each call has an id of its own');
      assert.equal(finish.finishReason, 'tool_calls');
    }
  },

  'the results of tools go back paired with their calls': async (subject) => {
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

  'a tool may be called without arguments': async (subject) => {
    subject.simulator.answer({ toolCalls: [{ name: 'weather', rawInput: '' }] });
    const { content } = await succeed(subject, { request: { tools: [weather] } });
    assert.deepEqual(
      content.map((part) => part.type === 'tool-call' && part.input),
      [{}],
    );
  },

  'structured output is asked for by its schema': async (subject) => {
    const { text: json } = await succeed(subject, {
      request: { output: { name: 'place', schema: weather.inputSchema } },
    });
    assertInOrder(sentBody(subject), ['city_marker']);
    const object: unknown = JSON.parse(json);
    assert.ok(typeof object === 'object' && object !== null && 'city_marker' in object);
  },

  'reasoning is told apart from text': async (subject) => {
    subject.simulator.answer({ reasoning: 'Pondering at length.', text: 'An answer.' });
    const request = { reasoning: { effort: 'low', include: true } } as const;
    for (const transfer of ['stream', 'unary'] as const) {
      const { text: said, content } = await succeed(subject, { transfer, request });
      assert.equal(said, 'An answer.');
      const thought = content.map((part) => (part.type === 'reasoning' ? part.text : ''));
      const wanted = subject.facts.showsReasoning ? 'Pondering at length.' : '';
      assert.equal(thought.join(''), wanted);
    }
  },

  'reasoning goes back, with its signature, to whom it came from': async (subject) => {
    const body = await goOn(subject, (part) => part);
    assertInOrder(body, ['A first question.', 'A considered answer.', 'A second question.']);
    if (subject.facts.signsReasoning) assertInOrder(body, [signature]);
  },

  'reasoning of another provider does not': async (subject) => {
    const body = await goOn(subject, minted);
    assertInOrder(body, ['A considered answer.']);
    assert.ok(!body.includes(signature), 'no signature goes to another provider');
    assert.ok(!body.includes('Pondering at length.'), 'nor the reasoning as if it were text');
  },

  'extra options are merged last into the body': async (subject) => {
    await succeed(subject, { request: { extraBody: { marker_option: 'extra-marker' } } });
    assert.equal(textOf(lastRequest(subject).body.marker_option), 'extra-marker');
  },
};

/** For wires on which arguments travel as text. */
export const textInputCases: Readonly<Record<string, CaseBody>> = {
  'arguments that are not JSON are marked and kept': async (subject) => {
    subject.simulator.answer({ toolCalls: [{ name: 'weather', rawInput: '{"city_marker":' }] });
    const { content } = await succeed(subject, { request: { tools: [weather] } });
    const [call] = content;
    assert.ok(call?.type === 'tool-call' && call.invalid === true);
    assert.equal(call.rawInput, '{"city_marker":');
  },
};
