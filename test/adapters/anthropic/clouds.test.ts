import type { ServerResponse } from 'node:http';
import { AnthropicBedrock } from '@anthropic-ai/bedrock-sdk';
import { AnthropicFoundry } from '@anthropic-ai/foundry-sdk';
import { AnthropicVertex } from '@anthropic-ai/vertex-sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { anthropic } from '../../../src/anthropic.ts';
import { awsChunk, awsException } from '../../support/aws-frames.ts';
import { callProvider, contentOf, finishOf, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function start(answer: Parameters<typeof startScriptedServer>[0]): Promise<string> {
  server = await startScriptedServer(answer);
  return server.url;
}

const usage = { input_tokens: 3, output_tokens: 2 };
const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-opus-4-6',
  content: [{ type: 'text', text: 'Hi there' }],
  stop_reason: 'end_turn',
  usage,
};
const events = [
  { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi ' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'there' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } },
  { type: 'message_stop' },
];
const answered = { finishReason: 'stop', usage: { inputTokens: 3, outputTokens: 2 } };

function answerFrames(frames: readonly Buffer[]) {
  return (response: ServerResponse): void => {
    response.writeHead(200, {
      'content-type': 'application/vnd.amazon.eventstream',
      'x-amzn-requestid': 'aws-1',
    });
    // Split in the middle of a frame.
    const bytes = Buffer.concat(frames);
    for (let at = 0; at < bytes.length; at += 61) response.write(bytes.subarray(at, at + 61));
    response.end();
  };
}

describe('anthropic() with a client of Bedrock', () => {
  const model = 'us.anthropic.claude-opus-4-6-v1:0';
  const request = requestOf({ model });

  async function bedrock(answer: Parameters<typeof startScriptedServer>[0]) {
    const baseURL = await start(answer);
    const client = new AnthropicBedrock({ apiKey: 'aws-key', awsRegion: 'eu-west-1', baseURL });
    return anthropic({ client });
  }

  it('requests a whole answer at the URL of the model', async () => {
    const provider = await bedrock(answerJson(message, 200, { 'x-amzn-requestid': 'aws-1' }));
    const parts = await callProvider(provider, request, { transfer: 'unary' });
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hi there' }]);
    expect(finishOf(parts)).toMatchObject(answered);
    expect(parts[0]).toMatchObject({ type: 'open', requestId: 'aws-1' });
    const seen = server?.seen[0];
    expect(seen?.path).toBe('/model/us.anthropic.claude-opus-4-6-v1:0/invoke');
    expect(seen?.headers.authorization).toBe('Bearer aws-key');
    expect(seen?.headers).not.toHaveProperty('anthropic-version');
    expect(seen?.body).toMatchObject({ anthropic_version: expect.any(String) });
    expect(seen?.body).not.toHaveProperty('model');
    expect(seen?.body).not.toHaveProperty('stream');
  });

  it('reads a stream of AWS event frames', async () => {
    const provider = await bedrock(answerFrames(events.map(awsChunk)));
    const parts = await callProvider(provider, request);
    expect(server?.seen[0]?.path).toMatch(/\/invoke-with-response-stream$/);
    expect(parts.filter(({ type }) => type === 'text-delta')).toHaveLength(2);
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hi there' }]);
    expect(finishOf(parts)).toMatchObject(answered);
    expect(parts[0]).toMatchObject({ type: 'open', requestId: 'aws-1' });
  });

  it('uses frames that the SDK can read', async () => {
    const baseURL = await start(answerFrames(events.map(awsChunk)));
    const client = new AnthropicBedrock({ apiKey: 'k', awsRegion: 'eu-west-1', baseURL });
    const messages = [{ role: 'user' as const, content: 'Hello' }];
    const read = await client.messages.stream({ model, max_tokens: 9, messages }).finalMessage();
    expect(read.content).toMatchObject([{ type: 'text', text: 'Hi there' }]);
  });

  it('signs the request with AWS keys', async () => {
    const baseURL = await start(answerJson(message));
    const client = new AnthropicBedrock({
      apiKey: null,
      awsAccessKey: 'AKIA',
      awsSecretKey: 'secret',
      awsRegion: 'eu-west-1',
      baseURL,
    });
    await callProvider(anthropic({ client }), request, { transfer: 'unary' });
    expect(server?.seen[0]?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIA\//);
  });

  it('fails with auth when there are no credentials', async () => {
    const baseURL = await start(answerJson(message));
    const client = new AnthropicBedrock({
      apiKey: null,
      awsRegion: 'eu-west-1',
      baseURL,
      providerChainResolver: async () => async () => {
        throw new Error('none');
      },
    });
    await expect(callProvider(anthropic({ client }), request)).rejects.toMatchObject({
      code: 'auth',
    });
    expect(server?.seen).toEqual([]);
  });

  it('aborts while credentials are being resolved', async () => {
    const baseURL = await start(answerJson(message));
    const controller = new AbortController();
    const client = new AnthropicBedrock({
      apiKey: null,
      awsRegion: 'eu-west-1',
      baseURL,
      providerChainResolver: async () => () => {
        controller.abort(new Error('left'));
        return new Promise(() => undefined);
      },
    });
    const { signal } = controller;
    await expect(callProvider(anthropic({ client }), request, { signal })).rejects.toThrow('left');
  });

  it.each([
    ['throttlingException', 'Too many requests', 'rate_limited'],
    ['throttlingException', 'Too many tokens per day, please wait', 'quota_exhausted'],
    ['modelStreamErrorException', 'The model broke off', 'server_error'],
    ['internalServerException', 'Try again', 'server_error'],
    ['modelTimeoutException', 'Took too long', 'server_error'],
    ['serviceUnavailableException', 'Try again', 'overloaded'],
    ['validationException', 'messages: field required', 'invalid_request'],
    ['validationException', 'Input is too long for requested model.', 'context_length'],
  ])('maps %s (%s) inside a stream to %s', async (type, message, code) => {
    const frames = [...events.slice(0, 3).map(awsChunk), awsException(type, message)];
    const provider = await bedrock(answerFrames(frames));
    await expect(callProvider(provider, request)).rejects.toMatchObject({ code });
  });

  it('fails with stream_interrupted when the stream lacks its end', async () => {
    const provider = await bedrock(answerFrames(events.slice(0, 4).map(awsChunk)));
    await expect(callProvider(provider, request)).rejects.toMatchObject({
      code: 'stream_interrupted',
    });
  });

  it.each([
    [429, 'ThrottlingException', 'Too many tokens, please wait', 'rate_limited'],
    [429, 'ThrottlingException', 'Too many tokens per day, please wait', 'quota_exhausted'],
    [429, 'ModelNotReadyException', 'The model is being loaded', 'overloaded'],
    [400, 'ServiceQuotaExceededException', 'Above your quota', 'quota_exhausted'],
    [403, 'AccessDeniedException', "You don't have access to the model", 'permission'],
    [403, 'UnrecognizedClientException', 'The security token is invalid', 'auth'],
    [403, 'ExpiredTokenException', 'The token has expired', 'auth'],
    [404, 'ResourceNotFoundException', 'Could not resolve the model', 'model_not_found'],
    [400, 'ValidationException', 'The provided model identifier is invalid.', 'model_not_found'],
    [
      400,
      'ValidationException',
      'Invocation of model ID x with on-demand throughput isn’t supported.',
      'model_not_found',
    ],
    [400, 'ValidationException', 'Input is too long for requested model.', 'context_length'],
    [400, 'ValidationException', 'Malformed input request', 'invalid_request'],
    [408, 'ModelTimeoutException', 'Took too long', 'server_error'],
    [424, 'ModelErrorException', 'The model failed', 'server_error'],
    [500, 'InternalServerException', 'Try again', 'server_error'],
    [503, 'ServiceUnavailableException', 'Try again', 'overloaded'],
  ])('maps %i %s (%s) to %s', async (status, type, message, code) => {
    const headers = {
      'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
      'x-amzn-requestid': 'aws-9',
    };
    const provider = await bedrock(answerJson({ message }, status, headers));
    const failure = await callProvider(provider, request).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, status, requestId: 'aws-9', cause: { message } });
  });

  it('maps a rejected key to auth, with any exception', async () => {
    const message = { Message: 'Authentication failed: Please make sure your API Key is valid.' };
    const headers = { 'x-amzn-errortype': 'AccessDeniedException' };
    const provider = await bedrock(answerJson(message, 403, headers));
    await expect(callProvider(provider, request)).rejects.toMatchObject({ code: 'auth' });
  });

  it('recognises the model after the region prefix', async () => {
    const provider = await bedrock(answerJson(message));
    const ofAnthropic = anthropic({ apiKey: 'k' });
    for (const id of [
      model,
      'anthropic.claude-opus-4-6-v1:0',
      'arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1:0',
    ]) {
      expect(provider.capabilities(id)).toEqual(ofAnthropic.capabilities('claude-opus-4-6'));
    }
    const old = 'eu.anthropic.claude-3-5-sonnet-20241022-v2:0';
    expect([...provider.capabilities(old)]).toContain('prefill');
  });

  it('uses the price list of AWS', async () => {
    expect((await bedrock(answerJson(message))).priceList).toBe('aws');
  });
});

type VertexAuth = NonNullable<
  NonNullable<ConstructorParameters<typeof AnthropicVertex>[0]>['authClient']
>;

describe('anthropic() with a client of Vertex', () => {
  const model = 'claude-opus-4-6@20260101';
  const request = requestOf({ model });

  async function vertex(answer: Parameters<typeof startScriptedServer>[0]) {
    const baseURL = await start(answer);
    // The part of Google's credentials library that the SDK uses.
    const getRequestHeaders = async () => new Headers({ authorization: 'Bearer token-1' });
    const authClient = { getRequestHeaders } as unknown as VertexAuth;
    return anthropic({
      client: new AnthropicVertex({
        region: 'europe-west4',
        projectId: 'acme-1',
        authClient,
        baseURL,
      }),
    });
  }

  it.each([
    ['unary', answerJson(message), 'rawPredict'],
    ['stream', answerEvents(events), 'streamRawPredict'],
  ] as const)('answers (%s)', async (transfer, answer, method) => {
    const provider = await vertex(answer);
    const parts = await callProvider(provider, request, { transfer });
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hi there' }]);
    expect(finishOf(parts)).toMatchObject(answered);
    const seen = server?.seen[0];
    expect(seen?.path).toBe(
      `/projects/acme-1/locations/europe-west4/publishers/anthropic/models/claude-opus-4-6@20260101:${method}`,
    );
    expect(seen?.headers.authorization).toBe('Bearer token-1');
    expect(seen?.body).toMatchObject({ anthropic_version: expect.any(String) });
    expect(seen?.body).not.toHaveProperty('model');
    expect(provider.priceList).toBe('google');
  });

  it.each([
    [429, { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Quota' } }, 'rate_limited'],
    [403, { error: { code: 403, status: 'PERMISSION_DENIED', message: 'No' } }, 'permission'],
    [404, [{ error: { code: 404, status: 'NOT_FOUND', message: 'No' } }], 'model_not_found'],
    [
      400,
      {
        type: 'error',
        error: { type: 'invalid_request_error', message: 'prompt is too long: 9 tokens > 8' },
      },
      'context_length',
    ],
  ])('maps %i %j to %s', async (status, body, code) => {
    const provider = await vertex(answerJson(body, status));
    await expect(callProvider(provider, request)).rejects.toMatchObject({ code, status });
  });
});

describe('anthropic() with a client of Foundry', () => {
  async function foundry(answer: Parameters<typeof startScriptedServer>[0]) {
    const baseURL = await start(answer);
    return anthropic({ client: new AnthropicFoundry({ apiKey: 'azure-key', baseURL }) });
  }

  it.each([
    ['unary', answerJson(message)],
    ['stream', answerEvents(events)],
  ] as const)('answers (%s)', async (transfer, answer) => {
    const provider = await foundry(answer);
    const parts = await callProvider(provider, requestOf({ model: 'claude-opus-4-6' }), {
      transfer,
    });
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hi there' }]);
    expect(server?.seen[0]).toMatchObject({
      path: '/v1/messages',
      headers: { 'x-api-key': 'azure-key' },
      body: { model: 'claude-opus-4-6' },
    });
  });

  it('maps a missing deployment to model_not_found', async () => {
    const body = { error: { code: 'DeploymentNotFound', message: 'No such deployment' } };
    const provider = await foundry(answerJson(body, 404));
    await expect(callProvider(provider, requestOf({ model: 'm' }))).rejects.toMatchObject({
      code: 'model_not_found',
    });
  });

  it('uses the price list set by the caller', () => {
    const client = new AnthropicFoundry({ apiKey: 'k', resource: 'acme' });
    expect(anthropic({ client }).priceList).toBe('azure');
    expect(anthropic({ client, priceList: 'anthropic' }).priceList).toBe('anthropic');
  });
});
