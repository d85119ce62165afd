import type { ServerResponse } from 'node:http';
import type { SeenRequest } from './scripted-server.ts';

export type WireName = 'chat' | 'responses' | 'anthropic' | 'gemini';

/** The kind of response in which the vendor repeats the request's data. */
export type Trick = 'ok' | 'odd-finish' | 'http-error' | 'error-in-200' | 'error-in-stream';

type Answer = { readonly whole: unknown; readonly events: readonly unknown[] };

/** Usage with the echo as a field name, as a value and at deeper levels. */
const usageOf = (counts: object, echo: string) => ({
  ...counts,
  [echo]: 1,
  echo,
  service_tier: echo,
  list: [echo, { [echo]: 2 }],
  prompt_tokens_details: { cached_tokens: 0, note: echo, [echo]: 3 },
  promptTokensDetails: [{ modality: echo, tokenCount: 1, [echo]: 4 }],
});

/** An error that repeats it in every text field of any vendor. */
const errorOf = (echo: string) => ({
  message: echo,
  type: echo,
  code: echo,
  status: echo,
  error_type: echo,
  param: echo,
  innererror: { code: echo },
  metadata: { raw: echo, code: echo, provider_name: echo },
  details: Object.assign([{ reason: echo, domain: echo }, { retryDelay: echo }], {
    error_code: echo,
  }),
});

const answers: Readonly<Record<WireName, (echo: string, finish: string) => Answer>> = {
  chat(echo, finish) {
    const about = { id: echo, model: echo, object: echo, system_fingerprint: echo, [echo]: 1 };
    const usage = usageOf({ prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 }, echo);
    const choice = { index: 0, finish_reason: finish, native_finish_reason: echo, [echo]: 1 };
    const message = { role: 'assistant', content: 'hi', [echo]: 1 };
    return {
      whole: { ...about, service_tier: echo, choices: [{ ...choice, message }], usage },
      events: [
        { ...about, choices: [{ index: 0, delta: message, finish_reason: null }] },
        { ...about, choices: [{ ...choice, delta: {} }] },
        { ...about, choices: [], usage },
      ],
    };
  },
  responses(echo, finish) {
    const status = finish === 'stop' ? 'completed' : 'incomplete';
    const content = [{ type: 'output_text', text: 'hi', annotations: [] }];
    const response = {
      id: echo,
      model: echo,
      service_tier: echo,
      status,
      incomplete_details: { reason: echo },
      output: [
        { type: 'message', id: echo, role: 'assistant', content, [echo]: 1 },
        { type: echo, id: echo },
      ],
      usage: usageOf({ input_tokens: 5, output_tokens: 1, total_tokens: 6 }, echo),
    };
    const created = { ...response, status: 'in_progress', output: [], usage: null };
    const delta = { output_index: 0, content_index: 0, item_id: echo, delta: 'hi' };
    return {
      whole: response,
      events: [
        { type: 'response.created', response: created },
        { type: echo },
        { type: 'response.output_text.delta', ...delta },
        { type: `response.${status}`, response },
      ],
    };
  },
  anthropic(echo, finish) {
    const usage = usageOf({ input_tokens: 5, output_tokens: 1 }, echo);
    const stop = {
      stop_reason: finish === 'stop' ? 'end_turn' : finish,
      stop_details: { category: echo, explanation: echo },
    };
    const message = { type: 'message', id: echo, role: 'assistant', model: echo, usage };
    return {
      whole: { ...message, ...stop, content: [{ type: 'text', text: 'hi' }] },
      events: [
        { type: 'message_start', message: { ...message, content: [] }, [echo]: 1 },
        { type: echo },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hi' } },
        { type: 'content_block_stop', index: 0 },
        { type: 'message_delta', delta: stop, usage },
        { type: 'message_stop' },
      ],
    };
  },
  gemini(echo, finish) {
    const counts = { promptTokenCount: 5, candidatesTokenCount: 1, trafficType: echo };
    const whole = {
      responseId: echo,
      modelVersion: echo,
      usageMetadata: usageOf(counts, echo),
      candidates: [
        {
          index: 0,
          content: { role: 'model', parts: [{ text: 'hi', [echo]: 1 }] },
          [echo]: 1,
          finishReason: finish === 'stop' ? 'STOP' : finish,
          finishMessage: echo,
        },
      ],
    };
    return { whole, events: [whole] };
  },
};

/** The body of an error, by wire. */
const errorBodies: Readonly<Record<WireName, (echo: string) => object>> = {
  chat: (echo) => ({ error: errorOf(echo), detail: echo, request_id: echo, __type: echo }),
  responses: (echo) => ({ type: 'error', error: errorOf(echo), request_id: echo }),
  anthropic: (echo) => ({ type: 'error', error: errorOf(echo), request_id: echo }),
  gemini: (echo) => ({ error: errorOf(echo) }),
};

/** All headers that signalbox reads. */
function headersOf(echo: string): Record<string, string> {
  const names = [
    'x-request-id',
    'request-id',
    'apim-request-id',
    'x-generation-id',
    'x-amzn-requestid',
    'cf-ray',
    'x-amzn-errortype',
    'retry-after',
    'retry-after-ms',
    'ratelimit',
    'x-ratelimit-reset-requests',
    'openai-model',
  ];
  const name = echo.replace(/[^A-Za-z0-9-]/g, '');
  return {
    ...Object.fromEntries(names.map((each) => [each, echo])),
    [`x-ratelimit-remaining-${name}`]: '7',
    [`x-ratelimit-limit-${name}`]: '7',
    [`x-ratelimit-reset-${name}`]: '7',
  };
}

/** Answers as a vendor that repeats `echo` wherever it can. */
export function repeat(wire: WireName, trick: Trick, status: number, echo: string) {
  return (response: ServerResponse, request: SeenRequest): void => {
    const isStream = request.body.stream === true || request.path.includes('streamGenerateContent');
    const finish = trick === 'odd-finish' ? echo : 'stop';
    const { whole, events } = answers[wire](echo, finish);
    const error = errorBodies[wire](echo);
    const asJson = (code: number, body: unknown): void => {
      response.writeHead(code, { 'content-type': 'application/json', ...headersOf(echo) });
      response.end(JSON.stringify(body));
    };
    const isError = trick === 'error-in-200' || (trick === 'error-in-stream' && !isStream);
    if (trick === 'http-error' || isError || !isStream) {
      asJson(
        trick === 'http-error' ? status : 200,
        isError || trick === 'http-error' ? error : whole,
      );
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', ...headersOf(echo) });
    const sent = trick === 'error-in-stream' ? [...events.slice(0, -1), error] : events;
    for (const event of sent) response.write(`data: ${JSON.stringify(event)}\n\n`);
    response.end();
  };
}
