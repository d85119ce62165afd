import { describe, expect, it } from 'vitest';
import { createAnswerReader as createAiSdkReader } from '../../src/adapters/ai-sdk/response.ts';
import type { Citation } from '../../src/protocol/message.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { MessageReader } from '../../src/wires/anthropic/response.ts';
import type { AnswerContext } from '../../src/wires/common/read-answer.ts';
import { GeminiReader } from '../../src/wires/gemini/response.ts';
import { ChatReader } from '../../src/wires/openai-chat/response.ts';
import { ResponseReader } from '../../src/wires/openai-responses/response.ts';
import { emittedBy, emittedForBody, emittedForEvents } from '../support/emitted-parts.ts';
import { silentWatch } from '../support/provider-calls.ts';

const origin = { provider: 'p', model: 'm' };
const openResponses = (context: AnswerContext) => new ResponseReader(origin, context);
const openChat = (context: AnswerContext) => new ChatReader({ ...context, origin });
const openAnthropic = (context: AnswerContext) => new MessageReader(origin, context);
const openGemini = (context: AnswerContext) => new GeminiReader(origin, context);
const openAiSdk = ({ headers, addPart }: AnswerContext) =>
  createAiSdkReader(origin, headers, silentWatch, addPart);

/** The citations of the answer's texts, without `raw`. */
function citationsIn(parts: Iterable<ProviderPart>): readonly Omit<Citation, 'raw'>[][] {
  return [...parts].flatMap((part) =>
    part.type === 'part-end' && part.part.type === 'text'
      ? [
          (part.part.citations ?? []).map(({ raw, ...fields }) => {
            expect(raw).toBeDefined();
            return fields;
          }),
        ]
      : [],
  );
}

const page = { url: 'https://ruby-lang.org', title: 'Ruby' };

describe('citations on OpenAI Responses', () => {
  const annotation = { type: 'url_citation', ...page, start_index: 5, end_index: 9 };
  const file = { type: 'file_citation', file_id: 'file-1', filename: 'facts.txt', index: 3 };
  const expected = [
    { ...page, start: 5, end: 9 },
    { title: 'facts.txt', source: 'file-1' },
  ];
  const item = {
    type: 'message',
    id: 'msg_1',
    content: [{ type: 'output_text', text: 'From Ruby.', annotations: [annotation, file] }],
  };
  const response = { id: 'r', model: 'm', status: 'completed', output: [item] };

  it('are read from a whole answer', () => {
    expect(citationsIn(emittedForBody(openResponses, response))).toEqual([expected]);
  });

  it('are emitted once although events, item and response contain them', () => {
    const at = { output_index: 0, content_index: 0, item_id: 'msg_1' };
    const events = [
      { type: 'response.output_text.delta', ...at, delta: 'From Ruby.' },
      { type: 'response.output_text.annotation.added', ...at, annotation },
      { type: 'response.output_text.annotation.added', ...at, annotation: file },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response },
    ];
    expect(citationsIn(emittedForEvents(openResponses, events))).toEqual([expected]);
  });
});

describe('citations on Chat Completions', () => {
  const annotations = [
    { type: 'url_citation', url_citation: { ...page, start_index: 0, end_index: 4 } },
  ];

  it('are read from the annotations of a message', () => {
    const choice = { finish_reason: 'stop', message: { content: 'Ruby', annotations } };
    const parts = emittedForBody(openChat, { choices: [choice] });
    expect(citationsIn(parts)).toEqual([[{ ...page, start: 0, end: 4 }]]);
  });

  it('are read from the annotations of a delta', () => {
    const chunks = [
      { choices: [{ delta: { content: 'Ruby' } }] },
      { choices: [{ delta: { annotations }, finish_reason: 'stop' }] },
    ];
    const parts = emittedForEvents(openChat, chunks);
    expect(citationsIn(parts)).toEqual([[{ ...page, start: 0, end: 4 }]]);
  });

  it.each([
    [
      'results',
      { search_results: [{ ...page, snippet: 'A language.' }], citations: [page.url] },
      { ...page, citedText: 'A language.' },
    ],
    ['addresses', { citations: [page.url] }, { url: page.url }],
  ])('are the %s that the vendor lists next to the answer, once', (_, listed, expected) => {
    const chunks = [
      { choices: [{ delta: { content: 'Ruby' } }], ...listed },
      { choices: [{ delta: { content: '.' }, finish_reason: 'stop' }], ...listed },
    ];
    expect(citationsIn(emittedForEvents(openChat, chunks))).toEqual([[expected]]);
  });
});

describe('citations on Anthropic Messages', () => {
  const location = {
    type: 'char_location',
    cited_text: 'Ruby was made in 1993.',
    document_index: 0,
    document_title: 'facts',
    start_char_index: 0,
    end_char_index: 22,
  };
  const result = {
    type: 'web_search_result_location',
    ...page,
    cited_text: 'Ruby',
    encrypted_index: 'x',
  };
  const expected = [
    { title: 'facts', citedText: 'Ruby was made in 1993.', source: '0' },
    { ...page, citedText: 'Ruby' },
  ];

  it('are read from each block of a message', () => {
    const content = [
      { type: 'text', text: 'So: ', citations: null },
      { type: 'text', text: 'in 1993', citations: [location, result] },
    ];
    const parts = emittedForBody(openAnthropic, { content, stop_reason: 'end_turn' });
    expect(citationsIn(parts)).toEqual([[], expected]);
  });

  it('are read from citation deltas', () => {
    const events = [
      { type: 'message_start', message: {} },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'in 1993' } },
      ...[location, result].map((citation) => ({
        type: 'content_block_delta',
        index: 0,
        delta: { type: 'citations_delta', citation },
      })),
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' } },
      { type: 'message_stop' },
    ];
    expect(citationsIn(emittedForEvents(openAnthropic, events))).toEqual([expected]);
  });
});

describe('citations on Gemini', () => {
  const text = 'Grün: Ruby 3.4 is out.';
  const bytes = Buffer.byteLength('Grün: ');
  const groundingMetadata = {
    groundingChunks: [{ web: { uri: page.url, title: page.title } }, { web: { uri: 'https://b' } }],
    groundingSupports: [
      {
        segment: { startIndex: bytes, endIndex: bytes + 15, text: 'Ruby 3.4 is out' },
        groundingChunkIndices: [0, 1, 7],
      },
    ],
  };
  const expected = [
    { ...page, start: 6, end: 21 },
    { url: 'https://b', start: 6, end: 21 },
  ];

  it('have positions in characters, not bytes', () => {
    const candidate = { content: { parts: [{ text }] }, finishReason: 'STOP', groundingMetadata };
    const parts = emittedForBody(openGemini, { candidates: [candidate] });
    expect(citationsIn(parts)).toEqual([expected]);
    expect(expected.map(({ start, end }) => text.slice(start, end))).toEqual(
      Array(2).fill('Ruby 3.4 is out'),
    );
  });

  it('are read from the last chunk of a stream, also with a signature', () => {
    const chunks = [
      { candidates: [{ content: { parts: [{ text: text.slice(0, 8) }] } }] },
      { candidates: [{ content: { parts: [{ text: text.slice(8) }] } }] },
      {
        candidates: [
          {
            content: { parts: [{ text: '', thoughtSignature: 's' }] },
            finishReason: 'STOP',
            groundingMetadata,
          },
        ],
      },
    ];
    expect(citationsIn(emittedForEvents(openGemini, chunks))).toEqual([expected]);
  });

  it('apply to the whole text without segments, and include recited sources', () => {
    const { groundingChunks } = groundingMetadata;
    const citationMetadata = { citations: [{ startIndex: 0, endIndex: 5, uri: 'https://c' }] };
    const candidate = {
      content: { parts: [{ text }] },
      finishReason: 'STOP',
      groundingMetadata: { groundingChunks },
      citationMetadata,
    };
    const parts = emittedForBody(openGemini, { candidates: [candidate] });
    expect(citationsIn(parts)).toEqual([
      [page, { url: 'https://b' }, { url: 'https://c', start: 0, end: 4 }],
    ]);
  });
});

describe('citations of an AI SDK model', () => {
  const source = { type: 'source', sourceType: 'url', id: '1', ...page };
  const file = { type: 'source', sourceType: 'document', id: 'doc', title: 'facts' };
  const expected = [page, { title: 'facts', source: 'doc' }];
  const finishReason = { unified: 'stop' };

  it('are the sources received before the text ends', () => {
    const events = [
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'Ruby' },
      source,
      file,
      { type: 'text-end', id: '1' },
      { type: 'finish', finishReason },
    ];
    const parts = emittedBy(openAiSdk, (reader) => {
      for (const event of events) reader.read(event);
    });
    expect(citationsIn(parts)).toEqual([expected]);
  });

  it('are read from a whole answer', () => {
    const content = [{ type: 'text', text: 'Ruby' }, source, file];
    const parts = emittedBy(openAiSdk, (reader) => reader.readWhole({ content, finishReason }));
    expect(citationsIn(parts)).toEqual([expected]);
  });
});
