import { OpenAI } from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mistral, openaiCompatible, type Profile, perplexity } from '../../../src/compatible.ts';
import type { Part } from '../../../src/protocol/message.ts';
import { callProvider, contentOf, requestOf } from '../../support/provider-calls.ts';
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

const answer = answerJson({ choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] });
const request = requestOf({ model: 'm' });

async function start(answering = answer): Promise<string> {
  server = await startScriptedServer(answering);
  return server.url;
}

describe('settings that are undefined', () => {
  it('count as not set', () => {
    expect(() => openaiCompatible({ profile: {}, baseURL: undefined })).toThrow(
      'openaiCompatible().baseURL: is missing',
    );
  });
});

describe('openaiCompatible()', () => {
  it('accepts the name of a profile, and settings override it', async () => {
    vi.stubEnv('GROQ_API_KEY', 'theirs');
    const baseURL = await start();
    const provider = openaiCompatible({ profile: 'groq', baseURL, headers: { 'X-Team': 'a' } });
    expect(provider.priceList).toBe('groq');
    expect(openaiCompatible({ profile: 'groq', priceList: 'openai' }).priceList).toBe('openai');
    await callProvider(provider, request);
    expect(server?.seen[0]).toMatchObject({
      path: '/chat/completions',
      headers: { authorization: 'Bearer theirs', 'x-team': 'a' },
    });
  });

  it('accepts a custom profile', async () => {
    vi.stubEnv('MY_KEY', 'mine');
    const baseURL = await start();
    const profile: Profile = {
      baseURL,
      keyVariables: ['MY_KEY'],
      authHeader: 'X-Key',
      maxTokensField: 'max_completion_tokens',
      extraBody: { region: 'eu' },
      capabilities: ['tools'],
      modelCapabilities: [{ pattern: /^eye/, capabilities: ['vision'] }],
      models: [{ pattern: /^big/g, quirks: { unsupportedParams: ['seed'] } }],
    };
    const provider = openaiCompatible({ profile });
    expect(provider).not.toHaveProperty('priceList');
    expect([...provider.capabilities('any')]).toEqual(['tools']);
    expect([...provider.capabilities('eye-1')]).toEqual(['vision']);
    for (const model of ['big-1', 'big-2', 'small']) {
      await callProvider(provider, requestOf({ model, seed: 1, maxOutputTokens: 5 }));
    }
    expect(server?.seen[0]?.headers).toMatchObject({ 'x-key': 'mine' });
    expect(server?.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(server?.seen[0]?.body).toMatchObject({ region: 'eu', max_completion_tokens: 5 });
    expect(server?.seen.map(({ body }) => body.seed)).toEqual([undefined, undefined, 1]);
  });

  it('sends no key when the profile has no variable', async () => {
    const baseURL = await start();
    await callProvider(openaiCompatible({ profile: {}, baseURL }), request);
    expect(server?.seen[0]?.headers.authorization).toBe('Bearer none');
  });

  it('accepts a client', async () => {
    const client = new OpenAI({ apiKey: 'c', baseURL: await start(), logLevel: 'off' });
    await callProvider(openaiCompatible({ profile: 'mistral', client }), request);
    expect(server?.seen[0]?.headers.authorization).toBe('Bearer c');
  });

  it.each([
    ['an unknown name', { profile: 'gorq' }, 'openaiCompatible().profile: must be'],
    ['no profile', {}, 'openaiCompatible().profile: must be'],
    ['a profile without an address', { profile: {} }, 'openaiCompatible().baseURL: is missing'],
    [
      'an unknown quirk',
      { profile: { maxTokens: 1 } },
      'openaiCompatible().profile.maxTokens: unknown setting',
    ],
    [
      'a row of capabilities without a pattern',
      { profile: { baseURL: 'https://a.example', modelCapabilities: [{ capabilities: [] }] } },
      'openaiCompatible().profile.modelCapabilities[0]: must have pattern',
    ],
    [
      'a quirk with an unknown value',
      { profile: { turns: 'odd' } },
      "openaiCompatible().profile.turns: must be 'free' or 'alternate'",
    ],
    [
      'a malformed rule for ids',
      { profile: { toolCallId: { pattern: 'a' } } },
      'openaiCompatible().profile.toolCallId: must be an object with pattern',
    ],
    [
      'malformed efforts',
      { profile: { efforts: 'some' } },
      "openaiCompatible().profile.efforts: must be a list of efforts or 'any'",
    ],
    [
      'a malformed row of models',
      { profile: { models: [{ pattern: /a/, quirks: { turns: 1 } }] } },
      'openaiCompatible().profile.models[0].quirks.turns: must be',
    ],
    ['an unknown setting', { profile: 'groq', retries: 3 }, 'openaiCompatible().retries: unknown'],
  ])('throws for %s', (_, settings, message) => {
    expect(() => openaiCompatible(settings as never)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(message) }),
    );
  });
});

describe('the quirks of profiles', () => {
  it('sends Mistral ids of nine characters and the tool names of results', async () => {
    const baseURL = await start();
    const call: Part = { type: 'tool-call', id: 'call_abc', name: 'look', input: {} };
    const result: Part = { type: 'tool-result', id: 'call_abc', name: 'look', output: 'seen' };
    const messages = [
      ...request.messages,
      { role: 'assistant' as const, content: [call] },
      { role: 'tool' as const, content: [result] },
    ];
    await callProvider(mistral({ apiKey: 'k', baseURL }), { ...request, messages });
    expect(server?.seen[0]?.body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', tool_calls: [{ id: '000000001' }] },
      { role: 'tool', tool_call_id: '000000001', name: 'look' },
    ]);
  });

  it("separates Perplexity's reasoning in tags from the text", async () => {
    const delta = (content: string) => ({ choices: [{ index: 0, delta: { content } }] });
    const end = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
    const deltas = ['<thi', 'nk>Let me', ' see</th', 'ink>\n\nIt is <', 'b>'];
    const baseURL = await start(answerEvents([...deltas.map(delta), end]));
    const parts = await callProvider(perplexity({ apiKey: 'k', baseURL }), request);
    expect(contentOf(parts)).toEqual([
      { type: 'reasoning', text: 'Let me see' },
      { type: 'text', text: 'It is <b>' },
    ]);
  });
});
