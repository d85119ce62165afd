/** The answers of the four wires: a JSON body, or the events of a stream with `deltas` chunks of text. */
export type WireName = 'chat' | 'responses' | 'anthropic' | 'gemini';

const sentence = 'The quick brown fox jumps over the lazy dog and goes home. ';
const text = sentence.repeat(8);
const word = ' token';

/** Vendors pad stream events, so that their length does not reveal their content. */
const padding = (index: number) => 'x9Yq2LmB7'.slice(0, (index * 7) % 10);

type Event = { readonly name?: string; readonly data: object };

const chatHead = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'gpt-5.4-mini' };
const chatUsage = { prompt_tokens: 20, completion_tokens: 100, total_tokens: 120 };

function chatEvents(deltas: number): readonly Event[] {
  const head = { ...chatHead, object: 'chat.completion.chunk', system_fingerprint: 'fp_1' };
  const chunk = (delta: object, reason: string | null = null, index = 0): Event => ({
    data: {
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
      obfuscation: padding(index),
    },
  });
  return [
    chunk({ role: 'assistant', content: '', refusal: null }),
    ...Array.from({ length: deltas }, (_, index) => chunk({ content: word }, null, index)),
    chunk({}, 'stop'),
    { data: { ...head, choices: [], usage: chatUsage } },
  ];
}

const responseUsage = {
  input_tokens: 20,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 100,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 120,
};

function responseBody(status: string, outputText: string) {
  const content = [{ type: 'output_text', annotations: [], logprobs: [], text: outputText }];
  const message = { type: 'message', id: 'msg_1', status, role: 'assistant', content };
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 1_700_000_000,
    status,
    error: null,
    incomplete_details: null,
    model: 'gpt-5.4-mini',
    output: status === 'completed' ? [message] : [],
    service_tier: 'default',
    usage: status === 'completed' ? responseUsage : null,
  };
}

function responseEvents(deltas: number): readonly Event[] {
  const at = { item_id: 'msg_1', output_index: 0, content_index: 0 };
  const outputText = word.repeat(deltas);
  const part = { type: 'output_text', annotations: [], logprobs: [] };
  const item = { id: 'msg_1', type: 'message', role: 'assistant' };
  const events: readonly object[] = [
    { type: 'response.created', response: responseBody('in_progress', '') },
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { ...item, status: 'in_progress', content: [] },
    },
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    ...Array.from({ length: deltas }, (_, index) => ({
      type: 'response.output_text.delta',
      ...at,
      delta: word,
      logprobs: [],
      obfuscation: padding(index),
    })),
    { type: 'response.output_text.done', ...at, text: outputText, logprobs: [] },
    { type: 'response.content_part.done', ...at, part: { ...part, text: outputText } },
    {
      type: 'response.output_item.done',
      output_index: 0,
      item: { ...item, status: 'completed', content: [{ ...part, text: outputText }] },
    },
    { type: 'response.completed', response: responseBody('completed', outputText) },
  ];
  return events.map((event, index) => ({
    name: (event as { type: string }).type,
    data: { ...event, sequence_number: index },
  }));
}

const anthropicHead = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-haiku-4-5',
};
const anthropicUsage = {
  input_tokens: 20,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 100,
};

function anthropicEvents(deltas: number): readonly Event[] {
  const message = { ...anthropicHead, content: [], stop_reason: null, stop_sequence: null };
  const events: readonly object[] = [
    {
      type: 'message_start',
      message: { ...message, usage: { ...anthropicUsage, output_tokens: 1 } },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...Array.from({ length: deltas }, () => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: word },
    })),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 100 },
    },
    { type: 'message_stop' },
  ];
  return events.map((data) => ({ name: (data as { type: string }).type, data }));
}

const geminiUsage = { promptTokenCount: 20, candidatesTokenCount: 100, totalTokenCount: 120 };

function geminiBody(outputText: string, isLast: boolean) {
  const content = { parts: [{ text: outputText }], role: 'model' };
  const candidate = { content, index: 0, ...(isLast && { finishReason: 'STOP' }) };
  return {
    candidates: [candidate],
    usageMetadata: geminiUsage,
    modelVersion: 'gemini-3-flash-preview',
    responseId: 'r1',
  };
}

const jsonBodies: Readonly<Record<WireName, object>> = {
  chat: {
    ...chatHead,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: chatUsage,
  },
  responses: responseBody('completed', text),
  anthropic: {
    ...anthropicHead,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: anthropicUsage,
  },
  gemini: geminiBody(text, true),
};

const streams: Readonly<Record<WireName, (deltas: number) => readonly Event[]>> = {
  chat: chatEvents,
  responses: responseEvents,
  anthropic: anthropicEvents,
  gemini: (deltas) => [
    ...Array.from({ length: deltas }, () => ({ data: geminiBody(word, false) })),
    { data: geminiBody(word, true) },
  ],
};

/** The JSON body as bytes. */
export function jsonBody(wire: WireName): Buffer {
  return Buffer.from(JSON.stringify(jsonBodies[wire]));
}

/** The events of a stream, one buffer per event. */
export function eventChunks(wire: WireName, deltas: number): readonly Buffer[] {
  const events = streams[wire](deltas).map(({ name, data }, index) => {
    const json = JSON.stringify(data);
    const spaces = wire === 'anthropic' ? padding(index).replace(/./g, ' ') : '';
    const head = name === undefined ? '' : `event: ${name}\n`;
    return Buffer.from(`${head}data: ${json.slice(0, -1)}${spaces}}\n\n`);
  });
  return wire === 'chat' ? [...events, Buffer.from('data: [DONE]\n\n')] : events;
}
