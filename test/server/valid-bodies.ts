const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const imageUrl = `data:image/png;base64,${png}`;
const schema = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
  additionalProperties: false,
};

/** A request that is answered, with most fields of its endpoint. */
export type ValidRequest = {
  readonly path: string;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
};

const chat = {
  model: 'chat',
  messages: [
    { role: 'system', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Look' },
        { type: 'image_url', image_url: { url: imageUrl } },
      ],
    },
    {
      role: 'assistant',
      content: 'Let me see.',
      tool_calls: [
        {
          id: 'call_1',
          type: 'function',
          function: { name: 'weather', arguments: '{"city":"Oslo","days":1}' },
        },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'Snow' },
    { role: 'user', content: 'And now?' },
  ],
  tools: [
    {
      type: 'function',
      function: { name: 'weather', description: 'The weather', parameters: schema, strict: true },
    },
  ],
  tool_choice: 'auto',
  parallel_tool_calls: false,
  temperature: 0.5,
  top_p: 0.9,
  max_completion_tokens: 500,
  stop: ['END'],
  seed: 1,
  metadata: { feature: 'search' },
  stream_options: { include_usage: true },
};

const responses = {
  model: 'chat',
  instructions: 'Be brief.',
  input: [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Look' },
        { type: 'input_image', image_url: imageUrl, detail: 'auto' },
      ],
    },
    {
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'Let me see.', annotations: [] }],
    },
    {
      type: 'function_call',
      call_id: 'call_1',
      name: 'weather',
      arguments: '{"city":"Oslo","days":1}',
    },
    { type: 'function_call_output', call_id: 'call_1', output: 'Snow' },
    { role: 'user', content: 'And now?' },
  ],
  tools: [
    {
      type: 'function',
      name: 'weather',
      description: 'The weather',
      parameters: schema,
      strict: true,
    },
  ],
  tool_choice: 'auto',
  temperature: 0.5,
  max_output_tokens: 500,
  store: false,
  metadata: { feature: 'search' },
};

const messages = {
  model: 'chat',
  max_tokens: 500,
  system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Look' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Oslo', days: 1 } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_1', content: 'Snow' },
        { type: 'text', text: 'And now?' },
      ],
    },
  ],
  tools: [{ name: 'weather', description: 'The weather', input_schema: schema }],
  tool_choice: { type: 'auto' },
  temperature: 0.5,
  stop_sequences: ['END'],
  metadata: { user_id: 'user-1' },
};

const anthropic = { 'anthropic-version': '2023-06-01' };

export const validRequests: readonly ValidRequest[] = [
  { path: '/chat/completions', body: chat },
  { path: '/chat/completions', body: { ...chat, stream: true } },
  {
    path: '/chat/completions',
    body: {
      model: 'chat',
      messages: [{ role: 'user', content: 'Hello' }],
      response_format: { type: 'json_object' },
    },
  },
  { path: '/responses', body: responses },
  { path: '/responses', body: { ...responses, stream: true } },
  {
    path: '/responses',
    body: { model: 'chat', input: 'Hello', reasoning: { effort: 'low', summary: 'auto' } },
  },
  { path: '/messages', body: messages, headers: anthropic },
  { path: '/messages', body: { ...messages, stream: true }, headers: anthropic },
  { path: '/messages/count_tokens', body: messages, headers: anthropic },
  {
    path: '/embeddings',
    body: {
      model: 'embed',
      input: ['one', 'two'],
      dimensions: 8,
      encoding_format: 'float',
      user: 'u',
    },
  },
  {
    path: '/images/generations',
    body: { model: 'image', prompt: 'A cat', n: 1, size: '1024x1024', response_format: 'b64_json' },
  },
];
