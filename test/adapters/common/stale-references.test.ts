import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { fromAiSdk } from '../../../src/ai-sdk.ts';
import { anthropic } from '../../../src/anthropic.ts';
import { mistral } from '../../../src/compatible.ts';
import { isSignalboxError, type SignalboxError } from '../../../src/errors.ts';
import { google, vertex } from '../../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../../src/openai.ts';
import type { Json } from '../../../src/protocol/json.ts';
import type { Message } from '../../../src/protocol/message.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import { staleReference } from '../../../src/wires/common/stale-reference.ts';
import { openAIHttpError } from '../../../src/wires/openai-shared/response.ts';
import { type ScriptedServer, startScriptedServer } from '../../support/scripted-server.ts';

/** How to connect, a model, and the body of a 404 with this message. */
const vendors = {
  chat: [(url) => openaiChat({ apiKey: 'k', baseURL: `${url}/v1` }), 'm', 'openai'],
  responses: [(url) => openai({ apiKey: 'k', baseURL: `${url}/v1` }), 'gpt-5.4', 'openai'],
  azure: [(url) => azureOpenAI({ apiKey: 'k', baseURL: `${url}/openai/v1` }), 'd', 'openai'],
  mistral: [(url) => mistral({ apiKey: 'k', baseURL: `${url}/v1` }), 'mistral-small', 'bare'],
  anthropic: [(url) => anthropic({ apiKey: 'k', baseURL: url }), 'claude-haiku-4-5', 'anthropic'],
  gemini: [(url) => google({ apiKey: 'k', baseURL: url }), 'gemini-3-flash-preview', 'google'],
  vertex: [
    (url) => vertex({ project: 'acme', baseURL: url, token: () => 't' }),
    'gemini-3-flash-preview',
    'google',
  ],
  aiSdk: [
    (url) => {
      const sdk = createOpenAICompatible({ name: 'x', baseURL: `${url}/v1`, apiKey: 'k' });
      return fromAiSdk((id: string) => sdk.languageModel(id), { priceList: 'none' });
    },
    'm',
    'openai',
  ],
} as const satisfies Record<string, readonly [(url: string) => Provider, string, string]>;
type VendorName = keyof typeof vendors;

const bodies: Readonly<Record<string, (message: string, status: number) => unknown>> = {
  openai: (message) => ({ error: { message, type: 'invalid_request_error', code: null } }),
  bare: (message) => ({ object: 'error', message }),
  anthropic: (message, status) => ({
    type: 'error',
    error: { type: status === 403 ? 'permission_error' : 'not_found_error', message },
  }),
  google: (message, code) => ({
    error: { code, message, status: code === 403 ? 'PERMISSION_DENIED' : 'NOT_FOUND' },
  }),
};

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

type Sent = {
  readonly messages?: readonly Message[];
  readonly options?: { readonly [field: string]: Json };
};

/** A call that the first vendor answers with an error, several times, and what is known of that target after it. */
async function afterRejection(
  name: VendorName,
  status: number,
  body: unknown,
  { messages = [{ role: 'user', content: 'hi' }], options = {} }: Sent = {},
) {
  const [make, model] = vendors[name];
  const server = await startScriptedServer((response) => {
    const isText = typeof body === 'string';
    response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json' });
    response.end(isText ? body : JSON.stringify(body));
  });
  servers.push(server);
  const target = `p/${model}` as const;
  const providers = { p: make(server.url), spare: fakeProvider('spare') };
  const router = createRouter({
    providers,
    tiers: { t: [target, 'spare/m'], alone: [target] },
  });
  const providerOptions = { p: options };
  let error: SignalboxError | undefined;
  let text: string | undefined;
  for (let each = 0; each < 6; each++) {
    const tier = each === 0 ? 'alone' : 't';
    const before = server.seen.length;
    const completion = await router
      .complete(tier, messages, { providerOptions })
      .catch((thrown) => {
        if (!isSignalboxError(thrown)) throw thrown;
        error = thrown.errors?.[0] ?? thrown;
      });
    text = completion?.text;
    if (each > 0 && server.seen.length === before) break;
  }
  const { circuit, unavailableUntil } = router.snapshot().targets[target] ?? {};
  await router.close();
  return {
    circuit,
    unavailable: Object.keys(unavailableUntil ?? {}),
    error,
    text,
    asked: server.seen.length,
  };
}

const names = Object.keys(vendors) as VendorName[];

describe.each(names)('something that one call names, on the wire of %s', (name) => {
  const make = bodies[vendors[name][2]];
  const bodyOf = (message: string, status: number): unknown => make?.(message, status);

  it.each([
    [404, 'File not found: file_abc', 'a file'],
    [403, 'You do not have permission to access the File abc123 or it may not exist.', 'a file'],
    [403, 'CachedContent not found (or permission denied)', 'cached content'],
    [
      404,
      "Item with id 'rs_1' not found. Items are not persisted when `store` is false.",
      'an item',
    ],
    [404, "Previous response with id 'resp_1' not found.", 'an earlier answer'],
    [404, "Conversation with id 'conv_1' not found.", 'a conversation'],
    [404, 'Container is expired.', 'a container'],
    [404, 'Vector store vs_1 not found', 'a store of documents'],
    [
      403,
      'x@gcp-sa.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object.',
      'a stored object',
    ],
  ])('does not make the target unavailable: %i %s', async (status, message, what) => {
    const after = await afterRejection(name, status, bodyOf(message, status));
    expect(after).toMatchObject({ circuit: 'closed', unavailable: [], text: 'spare', asked: 6 });
    expect(after.error).toMatchObject({ code: 'invalid_request', status, vendorSpecific: true });
    expect(after.error?.message).toContain(what);
    expect(after.error?.message).not.toContain('abc');
  });

  it.each([
    [404, 'The model `file-reader` does not exist or you do not have access to it.', 'model'],
    [404, 'models/cached-content is not found for API version v1', 'model'],
    [404, 'Not found', 'model'],
    [403, 'Your key has no access to this deployment', 'credential'],
    [403, 'You have insufficient permissions. Missing scopes: api.responses.write', 'credential'],
  ])('is not what the model or the key lacks: %i %s', async (status, message, reason) => {
    const after = await afterRejection(name, status, bodyOf(message, status));
    expect(after).toMatchObject({ circuit: 'closed', unavailable: [reason], asked: 1 });
  });

  it('is not a request that a firewall blocks', async () => {
    const page = '<!DOCTYPE html><title>Attention Required!</title>Sorry, you have been blocked';
    const after = await afterRejection(name, 403, page);
    expect(after).toMatchObject({ circuit: 'closed', unavailable: [], text: 'spare', asked: 6 });
    expect(after.error).toMatchObject({ code: 'invalid_response', status: 403 });
    expect(after.error?.message).toContain('a firewall or proxy answered instead of the vendor');
  });

  it('is not the path, for which a server has a page', async () => {
    const page = '<html><head><title>404 Not Found</title></head></html>';
    const after = await afterRejection(name, 404, page);
    expect(after).toMatchObject({ unavailable: ['model'], asked: 1 });
  });
});

describe('an error that does not say what is missing', () => {
  const fileOf = (id: string): readonly Message[] => [
    {
      role: 'user',
      content: [
        { type: 'file', source: { ref: { provider: 'p', id }, mediaType: 'application/pdf' } },
        { type: 'text', text: 'sum up' },
      ],
    },
  ];
  const rows: readonly (readonly [VendorName, number, string, Sent])[] = [
    ['gemini', 404, 'Requested entity was not found.', { messages: fileOf('https://x.test/f') }],
    ['gemini', 403, 'The caller does not have permission', { options: { cachedContent: 'c/1' } }],
    ['vertex', 403, 'Permission denied (or it may not exist)', { messages: fileOf('gs://x/f') }],
    ['anthropic', 404, 'Not found', { messages: fileOf('f1') }],
    ['chat', 404, 'Not found', { messages: fileOf('f1') }],
    ['responses', 404, 'Not found', { options: { previous_response_id: 'r' } }],
    ['responses', 404, 'Not found', { messages: fileOf('f1') }],
    ['mistral', 404, 'Not found', { options: { conversation: 'x' } }],
    ['aiSdk', 404, 'Not found', { options: { previous_response_id: 'x' } }],
  ];

  it.each(rows)('is about the reference that the request has: %s %i %s', async (...row) => {
    const [name, status, message, sent] = row;
    const body = bodies[vendors[name][2]]?.(message, status);
    expect(await afterRejection(name, status, body, sent)).toMatchObject({
      circuit: 'closed',
      unavailable: [],
      error: { code: 'invalid_request' },
    });
    // Without one, it is about the model or the key.
    const after = await afterRejection(name, status, body);
    expect(after.unavailable).toHaveLength(1);
  });
});

const id = fc.stringMatching(/^[a-z0-9][a-z0-9_.-]{0,20}$/);

describe('staleReference', () => {
  it('is about the first thing that a message names, whatever the names are', () => {
    fc.assert(
      fc.property(id, id, fc.constantFrom('file', 'files', 'File', 'document'), (a, b, noun) => {
        const of = (message: string) => staleReference({ words: [], message }, undefined);
        expect(of(`The model \`${noun}-${a}\` does not exist`)).toBeUndefined();
        expect(of(`models/${a}-${noun} is not found`)).toBeUndefined();
        expect(of(`The ${noun} ${a} does not exist; it was uploaded for the model ${b}`)).toBe(
          'a file',
        );
        expect(of(`No ${noun} with the id '${a}'`)).toBe('a file');
      }),
    );
  });

  it('needs a reference in the request where the message names nothing', () => {
    const field = fc.constantFrom('file_id', 'fileUri', 'cachedContent', 'previous_response_id');
    fc.assert(
      fc.property(field, fc.jsonValue({ maxDepth: 4 }), fc.string(), (key, other, value) => {
        const of = (request: unknown) =>
          staleReference({ words: ['not_found'], message: 'Not found' }, request);
        expect(of([{ a: other, b: [{ [key]: value }] }])).toBe('something');
        expect(of([{ a: JSON.stringify({ [key]: value }), b: value }])).toBeUndefined();
      }),
    );
  });

  it('ends with a very large request', () => {
    const request = { messages: Array.from({ length: 100_000 }, () => ({ content: [] })) };
    expect(staleReference({ words: [], message: 'Not found' }, request)).toBeUndefined();
  });
});

describe('a 400 or a failed dependency', () => {
  it.each([
    [400, "Previous response with id 'resp_1' not found.", 'previous_response_id', true],
    [400, 'The file file-1 has expired', 'file_id', true],
    [424, "Error retrieving tool list from MCP server: 'x'. Http status code: 401", '', true],
    [400, "Invalid 'input': a file is expected", 'input', undefined],
  ])('is about what the call names: %i %s', (status, message, param, vendorSpecific) => {
    const body = { error: { message, param, type: 'invalid_request_error' } };
    const error = openAIHttpError({ status, body, headers: new Headers() });
    expect(error.code).toBe('invalid_request');
    expect(error.vendorSpecific).toBe(vendorSpecific);
  });
});
