import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import * as presets from '../../../src/adapters/compatible/presets.ts';
import type { ProfileName } from '../../../src/adapters/compatible/profile.ts';
import { anthropic } from '../../../src/anthropic.ts';
import type { CompatibleSettings } from '../../../src/compatible.ts';
import type { AttemptErrorCode } from '../../../src/protocol/error-code.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import { callProvider, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const byName: Readonly<Record<ProfileName, (settings?: CompatibleSettings) => Provider>> = presets;

/** A vendor's error response, and the expected code. */
type Row = readonly [status: number, body: unknown, code: AttemptErrorCode];

const error = (message: string, more: object = {}) => ({ error: { message, ...more } });
const bare = (message: string, more: object = {}) => ({ message, ...more });

/** Error bodies reported by users of the vendors, shortened. */
const rows: Readonly<Record<ProfileName, readonly Row[]>> = {
  mistral: [
    [401, bare('Unauthorized', { request_id: 'x' }), 'auth'],
    [
      400,
      bare('Invalid model: foo', { object: 'error', type: 'invalid_model', code: '1500' }),
      'model_not_found',
    ],
    [
      400,
      bare(
        'Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length',
        {
          object: 'error',
          type: 'invalid_request_prompt',
          code: '3051',
        },
      ),
      'context_length',
    ],
    [
      422,
      { detail: [{ type: 'missing', loc: ['body', 'messages'], msg: 'Field required' }] },
      'invalid_request',
    ],
    [
      422,
      { detail: [{ loc: ['body', 'x'], msg: 'Extra inputs are not permitted' }] },
      'unsupported',
    ],
    [
      422,
      { object: 'error', message: { detail: [{ msg: 'Extra inputs are not permitted' }] } },
      'unsupported',
    ],
    [
      429,
      bare('Requests rate limit exceeded', { object: 'error', type: 'rate_limited', code: '1300' }),
      'rate_limited',
    ],
    [
      429,
      bare('Service tier capacity exceeded for this model.', { object: 'error' }),
      'overloaded',
    ],
  ],
  xai: [
    [
      400,
      { code: 'Client specified an invalid argument', error: 'Incorrect API key provided: k***' },
      'auth',
    ],
    [
      400,
      { code: 'Client specified an invalid argument', error: 'Model not found: grok-9' },
      'model_not_found',
    ],
    [
      404,
      { code: 'Some requested entity was not found', error: 'The model grok-9 does not exist' },
      'model_not_found',
    ],
    [
      400,
      {
        code: 'x',
        error: "This model's maximum prompt length is 131072 but the request contains 5 tokens.",
      },
      'context_length',
    ],
    [400, { code: 'x', error: 'Argument not supported on this model: stop' }, 'unsupported'],
    [
      403,
      {
        code: 'The caller does not have permission',
        error: "Your newly created team doesn't have any credits yet.",
      },
      'quota_exhausted',
    ],
    [
      403,
      { code: 'x', error: 'Content violates usage guidelines. Failed check: SAFETY_CHECK' },
      'content_filter',
    ],
    [
      429,
      {
        code: 'x',
        error:
          'Your team has either used all available credits or reached its monthly spending limit',
      },
      'quota_exhausted',
    ],
  ],
  deepseek: [
    [
      400,
      error('Model Not Exist', { type: 'invalid_request_error', code: 'invalid_request_error' }),
      'model_not_found',
    ],
    [400, error('Content Exists Risk', { type: 'invalid_request_error' }), 'content_filter'],
    [
      400,
      error("This model's maximum context length is 65536 tokens. However, you requested 9"),
      'context_length',
    ],
    [
      401,
      error('Authentication Fails', {
        type: 'authentication_error',
        code: 'invalid_request_error',
      }),
      'auth',
    ],
    [
      402,
      error('Insufficient Balance', { type: 'unknown_error', code: 'invalid_request_error' }),
      'quota_exhausted',
    ],
    [422, 'Failed to deserialize the JSON body into the target type', 'invalid_request'],
    [503, error('Service is too busy', { type: 'service_unavailable_error' }), 'overloaded'],
  ],
  groq: [
    [
      413,
      error(
        'Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000',
        {
          type: 'tokens',
          code: 'rate_limit_exceeded',
        },
      ),
      'rate_limited',
    ],
    [413, error('Request Entity Too Large', { code: 'request_too_large' }), 'request_too_large'],
    [
      400,
      error('Failed to call a function.', { code: 'tool_use_failed', failed_generation: '{' }),
      'invalid_output',
    ],
    [400, error('Failed to generate JSON.', { code: 'json_validate_failed' }), 'invalid_output'],
    [
      400,
      error('The model has been decommissioned', { code: 'model_decommissioned' }),
      'model_not_found',
    ],
    [
      400,
      error('Organization has been restricted', { code: 'organization_restricted' }),
      'permission',
    ],
    [400, error('Please reduce the length of the messages or completion.'), 'context_length'],
    [400, error('Blocked due to a spend limit', { code: 'blocked_api_access' }), 'quota_exhausted'],
    [
      429,
      error('Rate limit reached on tokens per day (TPD)', { code: 'rate_limit_exceeded' }),
      'quota_exhausted',
    ],
    [498, error('Flex tier capacity exceeded', { type: 'capacity_exceeded' }), 'overloaded'],
  ],
  together: [
    [
      400,
      error('Unable to access non-serverless model x', { code: 'model_not_available' }),
      'model_not_found',
    ],
    [
      404,
      error('Unable to access model x', {
        type: 'invalid_request_error',
        code: 'model_not_available',
      }),
      'model_not_found',
    ],
    [
      422,
      error(
        'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 9133',
      ),
      'context_length',
    ],
    [
      403,
      error(
        'Input token count + max_tokens parameter must be less than the context length of the model being queried.',
      ),
      'context_length',
    ],
    [402, error('Credit limit exceeded', { type: 'credit_limit' }), 'quota_exhausted'],
    [429, error('Too many requests', { type: 'model_rate_limit' }), 'rate_limited'],
  ],
  fireworks: [
    [
      400,
      error('The prompt is too long: 40961, model maximum context length: 40959', {
        object: 'error',
        type: 'invalid_request_error',
        code: 'invalid_request_error',
      }),
      'context_length',
    ],
    [
      404,
      error('Model not found, inaccessible, and/or not deployed', { code: 'NOT_FOUND' }),
      'model_not_found',
    ],
    [
      412,
      error('Account x is suspended, possibly due to reaching the monthly spending limit'),
      'quota_exhausted',
    ],
    [400, error('Extra inputs are not permitted, field: foo', { object: 'error' }), 'unsupported'],
  ],
  cohere: [
    [401, { id: '1', message: 'Incorrect API key provided: ***' }, 'auth'],
    [
      400,
      { id: '1', error_type: 'TOO_MANY_TOKENS', message: 'too many tokens: size limit exceeded' },
      'context_length',
    ],
    [400, bare('too many tokens: total number of tokens cannot exceed 4081'), 'context_length'],
    [404, { id: '1', message: "model 'command-r' was removed" }, 'model_not_found'],
    [422, bare('missing required field'), 'invalid_request'],
    [
      429,
      bare('You are using a Trial key, which is limited to 10 API calls / minute'),
      'rate_limited',
    ],
    [498, bare('your request was blocked'), 'content_filter'],
  ],
  ai21: [
    [401, { detail: 'Forbidden: Bad or missing API token.' }, 'auth'],
    [
      422,
      { detail: [{ loc: ['body', 'messages'], msg: 'field required', type: 'value_error' }] },
      'invalid_request',
    ],
    [429, { detail: 'Rate limit exceeded' }, 'rate_limited'],
    [404, { detail: 'Not Found' }, 'model_not_found'],
  ],
  meta: [
    [401, { title: 'Unauthorized', detail: 'Invalid API key', status: 401 }, 'auth'],
    [
      400,
      error('reasoning_effort none is not supported', { type: 'invalid_request_error' }),
      'unsupported',
    ],
    [429, { title: 'Too Many Requests', detail: 'Slow down', status: 429 }, 'rate_limited'],
  ],
  openrouter: [
    [402, error('Insufficient credits', { code: 402 }), 'quota_exhausted'],
    [400, error('x/y is not a valid model ID', { code: 400 }), 'model_not_found'],
    [
      403,
      error('Your chosen model requires moderation and your input was flagged', { code: 403 }),
      'content_filter',
    ],
    [404, error('No endpoints found that support tool use.', { code: 404 }), 'unsupported'],
    [404, error('No endpoints found for x/y.', { code: 404 }), 'model_not_found'],
    [
      400,
      error('Provider returned error', {
        code: 400,
        metadata: {
          raw: '{"error":{"message":"prompt is too long: 9 tokens > 8"}}',
          provider_name: 'Anthropic',
        },
      }),
      'context_length',
    ],
    [429, error('Rate limit exceeded: free-models-per-day', { code: 429 }), 'quota_exhausted'],
    [
      429,
      error('Provider returned error', {
        metadata: { raw: 'x is temporarily rate-limited upstream' },
      }),
      'rate_limited',
    ],
    [503, error('No provider', { metadata: { error_type: 'provider_overloaded' } }), 'overloaded'],
  ],
  perplexity: [
    [401, '<html><h1>401 Authorization Required</h1></html>', 'auth'],
    [400, error("Invalid model 'foo'.", { type: 'invalid_model', code: 400 }), 'model_not_found'],
    [
      400,
      error('Last message must have role `user`', { type: 'invalid_message', code: 400 }),
      'invalid_request',
    ],
    [
      401,
      error('You exceeded your current quota', { type: 'insufficient_quota' }),
      'quota_exhausted',
    ],
    [
      400,
      error('The total length of all messages is too long.', { type: 'too_many_prompt_tokens' }),
      'context_length',
    ],
  ],
  moonshot: [
    [
      429,
      error('Your account is suspended', { type: 'exceeded_current_quota_error' }),
      'quota_exhausted',
    ],
    [
      429,
      error('The engine is currently overloaded', { type: 'engine_overloaded_error' }),
      'overloaded',
    ],
    [429, error('Max RPM reached', { type: 'rate_limit_reached_error' }), 'rate_limited'],
    [
      400,
      error('The request was considered high risk', { type: 'content_filter' }),
      'content_filter',
    ],
    [
      400,
      error('Your request exceeded model token limit: 8192', { type: 'invalid_request_error' }),
      'context_length',
    ],
    [401, error('Incorrect API key', { type: 'incorrect_api_key_error' }), 'auth'],
    [404, error('Not found the model', { type: 'resource_not_found_error' }), 'model_not_found'],
  ],
  qwen: [
    [
      400,
      error('Output data may contain inappropriate content.', { code: 'data_inspection_failed' }),
      'content_filter',
    ],
    [400, { code: 'DataInspectionFailed', message: 'No', request_id: 'x' }, 'content_filter'],
    [
      400,
      error('Access denied, your account is in arrears', { code: 'Arrearage' }),
      'quota_exhausted',
    ],
    [401, { code: 'InvalidApiKey', message: 'Invalid API-key provided.', request_id: 'x' }, 'auth'],
    [
      403,
      error('The free tier has been exhausted', { code: 'AllocationQuota.FreeTierOnly' }),
      'quota_exhausted',
    ],
    [403, error('Access denied', { code: 'Model.AccessDenied' }), 'permission'],
    [
      400,
      error('Range of input length should be [1, 30720]', { code: 'invalid_parameter_error' }),
      'context_length',
    ],
    [429, error('Requests rate limit exceeded', { code: 'Throttling.RateQuota' }), 'rate_limited'],
    [404, error('The model `x` does not exist', { code: 'model_not_found' }), 'model_not_found'],
  ],
  cerebras: [
    [400, '', 'context_length'],
    [413, '', 'context_length'],
    [400, bare('No', { type: 'invalid_request_error', code: 'wrong' }), 'invalid_request'],
    [
      400,
      bare('Current length is 9000 while limit is 8192', { code: 'context_length_exceeded' }),
      'context_length',
    ],
    [401, bare('Wrong API Key', { code: 'wrong_api_key' }), 'auth'],
    [404, bare('Model x does not exist', { code: 'model_not_found' }), 'model_not_found'],
    [
      429,
      bare('Requests per minute limit exceeded', { code: 'request_quota_exceeded' }),
      'rate_limited',
    ],
    [
      429,
      bare('Tokens per day limit exceeded', { code: 'token_quota_exceeded' }),
      'quota_exhausted',
    ],
    [
      429,
      bare("We're experiencing high traffic right now!", { code: 'queue_exceeded' }),
      'overloaded',
    ],
  ],
  ollama: [
    [404, { error: "model 'foo' not found" }, 'model_not_found'],
    [
      404,
      error("model 'foo' not found, try pulling it first", { type: 'not_found_error' }),
      'model_not_found',
    ],
    [400, { error: 'registry.ollama.ai/library/x does not support tools' }, 'unsupported'],
    [429, { error: "you've reached your weekly usage limit, please upgrade" }, 'quota_exhausted'],
    [503, { error: 'server busy, please try again' }, 'overloaded'],
    [500, { error: 'model requires more system memory' }, 'server_error'],
  ],
  vllm: [
    [
      400,
      {
        object: 'error',
        message: "This model's maximum context length is 4096 tokens.",
        type: 'BadRequestError',
        code: 400,
      },
      'context_length',
    ],
    [
      400,
      error(
        "You passed 5000 input tokens. However, the model's context length is only 4096 tokens",
      ),
      'context_length',
    ],
    [
      400,
      bare('The decoder prompt (length 5000) is longer than the maximum model length of 4096'),
      'context_length',
    ],
    [400, error('"auto" tool choice requires --enable-auto-tool-choice'), 'unsupported'],
    [
      404,
      error('The model `x` does not exist.', { type: 'NotFoundError', code: 404 }),
      'model_not_found',
    ],
    [401, { error: 'Unauthorized' }, 'auth'],
  ],
  llamacpp: [
    [
      400,
      error('request (2009 tokens) exceeds the available context size (512 tokens)', {
        type: 'exceed_context_size_error',
      }),
      'context_length',
    ],
    [503, error('Loading model', { type: 'unavailable_error', code: 503 }), 'overloaded'],
    [
      501,
      error('This server does not support it', { type: 'not_supported_error', code: 501 }),
      'unsupported',
    ],
    [
      500,
      error('tools param requires --jinja flag', { type: 'server_error', code: 500 }),
      'unsupported',
    ],
    [
      500,
      error('image input is not supported - hint: you may need to provide the mmproj', {
        code: 500,
      }),
      'unsupported',
    ],
    [401, error('Invalid API Key', { type: 'authentication_error', code: 401 }), 'auth'],
  ],
  lmstudio: [
    [404, { error: 'No models loaded. Please load a model.' }, 'model_not_found'],
    [400, { error: 'No models loaded. Please load a model.' }, 'model_not_found'],
    [
      400,
      error('Failed to load model x', { type: 'invalid_request_error', code: 'model_not_found' }),
      'model_not_found',
    ],
    [
      400,
      {
        error:
          'However, the model is loaded with context length of only 4096 tokens, which is not enough.',
      },
      'context_length',
    ],
    [
      400,
      { error: 'Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)' },
      'context_length',
    ],
  ],
};

/** Errors inside a 200, as an event of a stream. */
const inBand: readonly (readonly [ProfileName, unknown, AttemptErrorCode])[] = [
  [
    'lmstudio',
    error('Input does not fit in context length. The input has 31430 tokens'),
    'context_length',
  ],
  ['lmstudio', error('Context size has been exceeded.'), 'context_length'],
  [
    'openrouter',
    {
      choices: [],
      ...error('No', { code: 502, metadata: { error_type: 'provider_unavailable' } }),
    },
    'server_error',
  ],
  ['openrouter', error('Rate limit exceeded', { code: 429 }), 'rate_limited'],
  [
    'groq',
    error('Failed to call a function.', { code: 'tool_use_failed', status_code: 400 }),
    'invalid_output',
  ],
  ['groq', { x_groq: { error: 'over capacity' }, choices: [] }, 'server_error'],
  ['mistral', { object: 'error', message: 'No', type: 'rate_limited' }, 'rate_limited'],
  [
    'vllm',
    { object: 'error', message: 'No', type: 'BadRequestError', code: 400 },
    'invalid_request',
  ],
  ['ollama', { error: 'an error was encountered while running the model' }, 'server_error'],
  ['qwen', error('No', { code: 'data_inspection_failed' }), 'content_filter'],
  ['cerebras', error('Slow down', { type: 'too_many_requests_error' }), 'rate_limited'],
];

let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

function answerWith(status: number, body: unknown) {
  if (typeof body !== 'string') return answerJson(body, status);
  return (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'text/plain' });
    response.end(body);
  };
}

async function failureOf(name: ProfileName, answer: Parameters<typeof startScriptedServer>[0]) {
  server = await startScriptedServer(answer);
  const provider = byName[name]({ apiKey: 'k', baseURL: server.url });
  return callProvider(provider, requestOf({ model: 'm' })).catch((failure: unknown) => failure);
}

const status = (status_code: number, status_msg: string) => ({
  choices: null,
  base_resp: { status_code, status_msg },
});

/** Vendors that identify an error by a number. */
const numbered: readonly (readonly [status: number, body: unknown, code: AttemptErrorCode])[] = [
  // MiniMax, which sends status 200.
  [200, status(1000, 'unknown error'), 'server_error'],
  [200, status(1001, 'request timeout'), 'server_error'],
  [200, status(1002, 'rate limit'), 'rate_limited'],
  [200, status(1004, 'login fail'), 'auth'],
  [200, status(1008, 'insufficient balance'), 'quota_exhausted'],
  [200, status(1026, 'input new_sensitive'), 'content_filter'],
  [200, status(1039, 'token limit'), 'rate_limited'],
  [200, status(2013, 'invalid params'), 'invalid_request'],
  [200, status(2013, 'invalid params, context window exceeds limit'), 'context_length'],
  [200, status(2056, 'usage limit exceeded'), 'quota_exhausted'],
  [200, status(9999, 'a new number'), 'server_error'],
  [401, { base_resp: { status_code: 1004, status_msg: 'login fail' } }, 'auth'],
  // z.ai, whose statuses say less.
  [401, error('Authorization Token expired', { code: '1003' }), 'auth'],
  [200, { code: 1001, msg: 'No Authorization in the header', success: false }, 'auth'],
  [429, error('Insufficient balance or no resource package', { code: '1113' }), 'quota_exhausted'],
  [400, error('Unknown Model, please check the model code.', { code: '1211' }), 'model_not_found'],
  [400, error('Prompt is over the maximum', { code: '1261' }), 'context_length'],
  [200, error('No', { code: '1301' }), 'content_filter'],
  [429, error('High concurrency usage of this API', { code: '1302' }), 'rate_limited'],
  [429, error('The service may be temporarily overloaded', { code: '1305' }), 'overloaded'],
  [429, error('Limit reached for 5 hours', { code: '1308' }), 'quota_exhausted'],
  [429, error('Weekly/Monthly Limit Exhausted', { code: '1310' }), 'quota_exhausted'],
  // Mistral's numbers are its own.
  [429, bare('No', { object: 'error', type: 'rate_limited', code: '1301' }), 'rate_limited'],
];

describe('an error with a number', () => {
  it.each(numbered)('%i %j has the code %s', async (httpStatus, body, code) => {
    expect(await failureOf('vllm', answerWith(httpStatus, body))).toMatchObject({ code });
  });

  it.each(numbered)(
    '%i %j has the code %s on the wire of Anthropic',
    async (httpStatus, body, code) => {
      server = await startScriptedServer(answerWith(httpStatus, body));
      const provider = anthropic({ apiKey: 'k', baseURL: server.url });
      const failure = await callProvider(provider, requestOf({ model: 'm' })).catch(
        (reason: unknown) => reason,
      );
      expect(failure).toMatchObject({ code });
    },
  );

  it.each(numbered.filter(([httpStatus]) => httpStatus === 200))(
    '%i %j in a stream has the code %s',
    async (_, body, code) => {
      const start = { id: '1', choices: [{ index: 0, delta: { content: 'a' } }] };
      expect(await failureOf('vllm', answerEvents([start, body]))).toMatchObject({ code });
    },
  );

  it('is none with the number 0', async () => {
    const answer = { choices: [{ index: 0, message: { content: 'a' }, finish_reason: 'stop' }] };
    const body = { ...answer, base_resp: { status_code: 0, status_msg: '' } };
    expect(await failureOf('vllm', answerWith(200, body))).not.toBeInstanceOf(Error);
  });
});

describe.each(Object.entries(rows))('an error of %s()', (name, cases) => {
  it.each(cases)('%i %j has the code %s', async (status, body, code) => {
    const failure = await failureOf(name as ProfileName, answerWith(status, body));
    expect(failure).toMatchObject({ code, status });
  });
});

describe('an error inside a stream', () => {
  it.each(inBand)('of %s() (%j) has the code %s', async (name, event, code) => {
    expect(await failureOf(name, answerEvents([event]))).toMatchObject({ code });
  });
});

describe('an error response without a body', () => {
  it('has the code of its status, or context_length for vendors that mean that', async () => {
    expect(await failureOf('mistral', answerWith(413, ''))).toMatchObject({
      code: 'request_too_large',
    });
    await server?.stop();
    expect(await failureOf('cerebras', answerWith(503, ''))).toMatchObject({ code: 'overloaded' });
  });
});

describe('the wait in the message of an error', () => {
  it.each([
    ['Please retry after 26 seconds.', 26_000],
    ['Please retry in 48.9s.', 48_900],
    ['Please try again in 1m2.5s', 62_500],
  ])('%s', async (words, retryAfterMs) => {
    expect(await failureOf('groq', answerWith(429, error(words)))).toMatchObject({ retryAfterMs });
  });
});
