import { afterEach, describe, expect, it } from 'vitest';
import { anthropic } from '../../../src/anthropic.ts';
import { google } from '../../../src/google.ts';
import { openai, openaiChat } from '../../../src/openai.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import {
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

/** The wires: how to connect, a model, and the body of an error. */
const wires = {
  chat: {
    make: (url: string): Provider => openaiChat({ apiKey: 'k', baseURL: `${url}/v1` }),
    model: 'm',
    body: (message: string) => ({ error: { message, type: 'invalid_request_error' } }),
  },
  responses: {
    make: (url: string): Provider => openai({ apiKey: 'k', baseURL: `${url}/v1` }),
    model: 'gpt-5.4',
    body: (message: string) => ({ error: { message, type: 'invalid_request_error' } }),
  },
  anthropic: {
    make: (url: string): Provider => anthropic({ apiKey: 'k', baseURL: url }),
    model: 'claude-sonnet-5',
    body: (message: string) => ({
      type: 'error',
      error: { type: 'invalid_request_error', message },
    }),
  },
  gemini: {
    make: (url: string): Provider => google({ apiKey: 'k', baseURL: url }),
    model: 'gemini-3-flash-preview',
    body: (message: string) => ({ error: { code: 400, message, status: 'INVALID_ARGUMENT' } }),
  },
} as const;
type WireName = keyof typeof wires;
const names = Object.keys(wires) as WireName[];

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function rejecting(wire: WireName, body: unknown, status = 400) {
  const server = await startScriptedServer(answerJson(body, status));
  servers.push(server);
  return {
    server,
    provider: wires[wire].make(server.url),
    target: `p/${wires[wire].model}` as const,
  };
}

/** The code of the only attempt of a call. */
async function codeOf(wire: WireName, body: unknown, status = 400): Promise<unknown> {
  const { provider, target } = await rejecting(wire, body, status);
  const router = createRouter({ providers: { p: provider }, tiers: { t: [target] } });
  const options = { retry: { attempts: 0 } };
  const error: unknown = await router.complete('t', 'hi', options).catch((thrown) => thrown);
  const { code, errors } = error as { code: string; errors?: readonly { code: string }[] };
  return errors?.[0]?.code ?? code;
}

describe.each(names)('a prompt that is too long on the wire %s', (wire) => {
  it.each([
    'invalid params, context window exceeds limit (2013)',
    'prompt too long; exceeded max context length by 512 tokens',
    'prompt token count of 130000 exceeds the limit of 128000',
    'Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.',
    "The input (40000 tokens) is longer than the model's context length (32768 tokens).",
    'Input validation error: `inputs` must have less than 4096 tokens. Given: 5000',
    'Token limit exceeded: 140000 > 131072',
    'The estimated number of input and maximum output tokens (9000) exceeded this model context window limit (8192).',
    'Unable to submit request because the input token count is 200000 but the model only supports up to 131072.',
    'the number of input tokens 5000 cannot exceed the total tokens limit 4096 for this model',
    'max tokens of 8192 exceeded',
    'Prompt length 5000 is greater than max_seq_len 4096',
    'Prompt length (5000) exceeds maximum input length (4096).',
    "Requested token count exceeds the model's maximum context length of 8192 tokens.",
    'Too many input tokens. Max input tokens: 8192, request input token count: 9000',
    'The messages exceed the maximum number of tokens',
    'input is too large to process. increase the physical batch size',
  ])('is recognized: %s', async (message) => {
    expect(await codeOf(wire, wires[wire].body(message))).toBe('context_length');
  });

  it.each([
    'max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens',
    'max_tokens is too large: 20000. This model supports at most 16384 completion tokens',
    'Image input is too large',
    'Output token limit exceeded',
    "Invalid 'metadata': string too long. Expected a string with maximum length 512",
  ])('is not confused with another limit: %s', async (message) => {
    expect(await codeOf(wire, wires[wire].body(message))).toBe('invalid_request');
  });
});

it("recognizes GitHub Copilot's code for a prompt that is too long", async () => {
  const body = { error: { message: 'x', code: 'model_max_prompt_tokens_exceeded' } };
  expect(await codeOf('chat', body)).toBe('context_length');
});

describe.each(names)('an account that is disabled, on the wire %s', (wire) => {
  it.each([
    ['This organization has been disabled.', 'permission'],
    ['Your account is not active, please contact support', 'permission'],
    ['insufficient balance (1008)', 'quota_exhausted'],
  ])('is not the fault of the request: %s', async (message, code) => {
    expect(await codeOf(wire, wires[wire].body(message))).toBe(code);
  });
});

it.each(['moderation_blocked', 'image_content_policy_violation', 'safety_violation'])(
  'has the code content_filter for %s',
  async (code) => {
    expect(await codeOf('responses', { error: { message: 'No', code } })).toBe('content_filter');
  },
);

/** A call whose first vendor rejects it, and the texts of the vendors asked. */
async function callWithTwo(
  first: WireName,
  body: unknown,
  status = 400,
  others: readonly ('two' | 'same')[] = ['two'],
) {
  const { server, provider, target } = await rejecting(first, body, status);
  const spare = fakeProvider('spare');
  const again = await rejecting('chat', body, status);
  const all = { p: provider, same: again.provider, spare };
  const targets = { two: 'spare/m', same: 'same/m' } as const;
  const router = createRouter({
    providers: all,
    tiers: { t: [target, ...others.map((name) => targets[name])] },
  });
  const answer = await router.complete('t', 'hi').then(
    ({ text }) => text,
    (error: { code: string }) => error.code,
  );
  return { answer, asked: server.seen.length, askedAgain: again.server.seen.length };
}

describe.each(names)('a 400 about the vendor, on the wire %s', (wire) => {
  it.each([
    'No',
    'Invalid parameter: please check the documentation',
    'The compiled grammar is too large, which would cause performance issues.',
    "Invalid schema for function 'act': schema must have a 'type' key",
    'max_tokens is too large: 20000. This model supports at most 16384 completion tokens',
    'Expected last role User or Tool (or Assistant with prefix True) but got assistant',
    'messages.3: `tool_use` ids were found without `tool_result` blocks immediately after',
    'The `reasoning_content` in the thinking mode must be passed back to the API.',
    'Provider returned error',
  ])('is answered by the next vendor: %s', async (message) => {
    const { answer, asked } = await callWithTwo(wire, wires[wire].body(message));
    expect({ answer, asked }).toEqual({ answer: 'spare', asked: 1 });
  });
});

describe('a rejected request', () => {
  it.each<[WireName, unknown]>([
    ['chat', { error: { message: 'must be an array', param: 'messages', code: 'invalid_type' } }],
    ['responses', { error: { message: 'Missing', code: 'missing_required_parameter' } }],
    ['chat', { detail: [{ type: 'missing', loc: ['body', 'messages'], msg: 'Field required' }] }],
    ['anthropic', wires.anthropic.body('messages.0.content: Field required')],
    ['gemini', wires.gemini.body('* GenerateContentRequest.contents: contents is not specified')],
    ['gemini', wires.gemini.body("Invalid value at 'contents[0].parts[0]' (text), 5")],
  ])('ends the call when the vendor names what is wrong with it: %s %j', async (wire, body) => {
    expect((await callWithTwo(wire, body)).answer).toBe('invalid_request');
  });

  it('is tried at one other vendor only', async () => {
    const body = wires.chat.body('No');
    expect(await callWithTwo('chat', body, 400, ['same', 'two'])).toEqual({
      answer: 'invalid_request',
      asked: 1,
      askedAgain: 1,
    });
  });

  it('is tried at another provider before another model of the same one', async () => {
    const { server, provider } = await rejecting('chat', wires.chat.body('No'));
    const router = createRouter({
      providers: { p: provider, spare: fakeProvider('spare') },
      tiers: { t: ['p/a', 'p/b', 'spare/m'] },
    });
    expect((await router.complete('t', 'hi')).text).toBe('spare');
    expect(server.seen).toHaveLength(1);
  });

  it('keeps its code when there is no other target', async () => {
    expect((await callWithTwo('chat', wires.chat.body('No'), 400, [])).answer).toBe(
      'invalid_request',
    );
  });

  it.each([
    [413, { error: { message: 'Payload too large' } }],
    [200, { error: { code: 400, message: 'Provider returned error' } }],
    [200, { error: { message: 'bad', type: 'invalid_request_error' } }],
    [429, { error: { message: 'Request too large for m on tokens per min (TPM): Limit 10' } }],
  ])('with status %i and %j is answered by the next vendor', async (status, body) => {
    expect((await callWithTwo('chat', body, status)).answer).toBe('spare');
  });
});

describe('a request that alone exceeds the limit of tokens per minute', () => {
  const body = {
    error: {
      message:
        'Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000',
      type: 'tokens',
      code: 'rate_limit_exceeded',
    },
  };

  it.each([413, 429])('is not sent again, with status %i', async (status) => {
    const { server, provider } = await rejecting('chat', body, status);
    const router = createRouter({ providers: { p: provider }, tiers: { t: ['p/m'] } });
    await expect(router.complete('t', 'hi')).rejects.toThrow();
    expect(server.seen).toHaveLength(1);
    expect(router.snapshot().targets['p/m']?.unavailableUntil).toEqual({});
  });
});
