import { describe, expect, it } from 'vitest';
import { createAnswerReader as createAiSdkReader } from '../../src/adapters/ai-sdk/response.ts';
import type { Citation } from '../../src/protocol/message.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { createAnswerReader as createAnthropicReader } from '../../src/wires/anthropic/response.ts';
import type { AnswerFacts } from '../../src/wires/common/read-answer.ts';
import { createAnswerReader as createGeminiReader } from '../../src/wires/gemini/response.ts';
import { createAnswerReader as createChatReader } from '../../src/wires/openai-chat/response.ts';
import { createAnswerReader as createResponsesReader } from '../../src/wires/openai-responses/response.ts';
import { partsOf, partsOfBody, partsOfEvents } from '../support/read-parts.ts';

const issuer = { provider: 'p', model: 'm' };
const openResponses = (facts: AnswerFacts) => createResponsesReader(issuer, facts);
const openChat = (facts: AnswerFacts) => createChatReader({ ...facts, issuer });
const openAnthropic = (facts: AnswerFacts) => createAnthropicReader(issuer, facts);
const openGemini = (facts: AnswerFacts) => createGeminiReader(issuer, facts);
const openAiSdk = ({ headers, tell }: AnswerFacts) => createAiSdkReader(issuer, headers, tell);

/** The citations of the answer's texts, without the vendor's own words. */
function citationsIn(parts: Iterable<ProviderPart>): readonly Omit<Citation, 'raw'>[][] {
  return [...parts].flatMap((part) =>
    part.type === 'part-end' && part.part.type === 'text'
      ? [
          (part.part.citations ?? []).map(({ raw, ...told }) => {
            expect(raw).toBeDefined();
            return told;
          }),
        ]
      : [],
  );
}

const page = { url: 'https://ruby-lang.org', title: 'Ruby' };

describe('sources on OpenAI Responses', () => {
  const annotation = { type: 'url_citation', ...page, start_index: 5, end_index: 9 };
  const file = { type: 'file_citation', file_id: 'file-1', filename: 'facts.txt', index: 3 };
  const told = [
    { ...page, start: 5, end: 9 },
    { title: 'facts.txt', source: 'file-1' },
  ];
  const item = {
    type: 'message',
    id: 'msg_1',
    content: [{ type: 'output_text', text: 'From Ruby.', annotations: [annotation, file] }],
  };
  const response = { id: 'r', model: 'm', status: 'completed', output: [item] };

  it('are those of the whole answer', () => {
    expect(citationsIn(partsOfBody(openResponses, response))).toEqual([told]);
  });

  it('are told once although events, item and response all name them', () => {
    const at = { output_index: 0, content_index: 0, item_id: 'msg_1' };
    const events = [
      { type: 'response.output_text.delta', ...at, delta: 'From Ruby.' },
      { type: 'response.output_text.annotation.added', ...at, annotation },
      { type: 'response.output_text.annotation.added', ...at, annotation: file },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response },
    ];
    expect(citationsIn(partsOfEvents(openResponses, events))).toEqual([told]);
  });
});

describe('sources on Chat Completions', () => {
  const annotations = [
    { type: 'url_citation', url_citation: { ...page, start_index: 0, end_index: 4 } },
  ];

  it('are the annotations of the message', () => {
    const choice = { finish_reason: 'stop', message: { content: 'Ruby', annotations } };
    const parts = partsOfBody(openChat, { choices: [choice] });
    expect(citationsIn(parts)).toEqual([[{ ...page, start: 0, end: 4 }]]);
  });

  it('are the annotations of a delta', () => {
    const chunks = [
      { choices: [{ delta: { content: 'Ruby' } }] },
      { choices: [{ delta: { annotations }, finish_reason: 'stop' }] },
    ];
    const parts = partsOfEvents(openChat, chunks);
    expect(citationsIn(parts)).toEqual([[{ ...page, start: 0, end: 4 }]]);
  });

  it.each([
    [
      'results',
      { search_results: [{ ...page, snippet: 'A language.' }], citations: [page.url] },
      { ...page, citedText: 'A language.' },
    ],
    ['addresses', { citations: [page.url] }, { url: page.url }],
  ])('are the %s that the vendor lists beside the answer, once', (_, listed, expected) => {
    const chunks = [
      { choices: [{ delta: { content: 'Ruby' } }], ...listed },
      { choices: [{ delta: { content: '.' }, finish_reason: 'stop' }], ...listed },
    ];
    expect(citationsIn(partsOfEvents(openChat, chunks))).toEqual([[expected]]);
  });
});

describe('sources on Anthropic Messages', () => {
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
  const told = [
    { title: 'facts', citedText: 'Ruby was made in 1993.', source: '0' },
    { ...page, citedText: 'Ruby' },
  ];

  it('are those of each block of the message', () => {
    const content = [
      { type: 'text', text: 'So: ', citations: null },
      { type: 'text', text: 'in 1993', citations: [location, result] },
    ];
    const parts = partsOfBody(openAnthropic, { content, stop_reason: 'end_turn' });
    expect(citationsIn(parts)).toEqual([[], told]);
  });

  it('come in deltas of their own', () => {
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
    expect(citationsIn(partsOfEvents(openAnthropic, events))).toEqual([told]);
  });
});

describe('sources on Gemini', () => {
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
  const told = [
    { ...page, start: 6, end: 21 },
    { url: 'https://b', start: 6, end: 21 },
  ];

  it('are counted in characters, not bytes', () => {
    const candidate = { content: { parts: [{ text }] }, finishReason: 'STOP', groundingMetadata };
    const parts = partsOfBody(openGemini, { candidates: [candidate] });
    expect(citationsIn(parts)).toEqual([told]);
    expect(told.map(({ start, end }) => text.slice(start, end))).toEqual(
      Array(2).fill('Ruby 3.4 is out'),
    );
  });

  it('come with the last chunk of a stream, also beside a signature', () => {
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
    expect(citationsIn(partsOfEvents(openGemini, chunks))).toEqual([told]);
  });

  it('are for the whole text when the vendor does not say for which part of it, and name what was recited', () => {
    const { groundingChunks } = groundingMetadata;
    const citationMetadata = { citations: [{ startIndex: 0, endIndex: 5, uri: 'https://c' }] };
    const candidate = {
      content: { parts: [{ text }] },
      finishReason: 'STOP',
      groundingMetadata: { groundingChunks },
      citationMetadata,
    };
    const parts = partsOfBody(openGemini, { candidates: [candidate] });
    expect(citationsIn(parts)).toEqual([
      [page, { url: 'https://b' }, { url: 'https://c', start: 0, end: 4 }],
    ]);
  });
});

describe('sources of an AI SDK model', () => {
  const source = { type: 'source', sourceType: 'url', id: '1', ...page };
  const file = { type: 'source', sourceType: 'document', id: 'doc', title: 'facts' };
  const told = [page, { title: 'facts', source: 'doc' }];
  const finishReason = { unified: 'stop' };

  it('are those told before its text ends', () => {
    const events = [
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'Ruby' },
      source,
      file,
      { type: 'text-end', id: '1' },
      { type: 'finish', finishReason },
    ];
    const parts = partsOf(openAiSdk, (reader) => {
      for (const event of events) reader.read(event);
    });
    expect(citationsIn(parts)).toEqual([told]);
  });

  it('are those of the whole answer', () => {
    const content = [{ type: 'text', text: 'Ruby' }, source, file];
    const parts = partsOf(openAiSdk, (reader) => reader.readWhole({ content, finishReason }));
    expect(citationsIn(parts)).toEqual([told]);
  });
});
