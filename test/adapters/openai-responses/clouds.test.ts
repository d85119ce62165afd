import { OpenAI } from 'openai';
import { bedrock } from 'openai/providers/bedrock';
import { vertex } from 'openai/providers/vertex';
import { afterEach, describe, expect, it } from 'vitest';
import { openai, openaiChat } from '../../../src/openai.ts';
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

type Answer = Parameters<typeof startScriptedServer>[0];

async function start(answer: Answer): Promise<string> {
  server = await startScriptedServer(answer);
  return server.url;
}

const request = requestOf({ model: 'openai.gpt-oss-120b' });
const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
const content = [{ type: 'output_text', text: 'Hi there', annotations: [] }];
const item = { type: 'message', id: 'm1', role: 'assistant', status: 'completed', content };
const whole = { id: 'r1', object: 'response', status: 'completed', output: [item], usage };
const events = [
  { type: 'response.created', response: { ...whole, status: 'in_progress', output: [] } },
  { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } },
  { type: 'response.output_text.delta', output_index: 0, content_index: 0, delta: 'Hi there' },
  { type: 'response.output_item.done', output_index: 0, item },
  { type: 'response.completed', response: whole },
];

const clouds = {
  Bedrock: {
    client: (baseURL: string) =>
      new OpenAI({ provider: bedrock({ apiKey: 'cloud-key', region: 'eu-west-1', baseURL }) }),
    home: new OpenAI({ provider: bedrock({ apiKey: 'k', region: 'eu-west-1' }) }).baseURL,
    address: 'https://bedrock-mantle.eu-west-1.api.aws/openai/v1',
  },
  Vertex: {
    client: (baseURL: string) =>
      new OpenAI({ provider: vertex({ baseURL, tokenProvider: async () => 'cloud-key' }) }),
    home: new OpenAI({
      provider: vertex({ project: 'p', location: 'global', tokenProvider: async () => 'k' }),
    }).baseURL,
    address:
      'https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/openai/v1',
  },
};

describe.each(Object.entries(clouds))(
  'a client of OpenAI for %s',
  (_, { client, home, address }) => {
    it.each([
      ['unary', answerJson(whole)],
      ['stream', answerEvents(events)],
    ] as const)('works with openai() (%s)', async (transfer, answer) => {
      const provider = openai({ client: client(`${await start(answer)}/v1`), priceList: 'aws' });
      const parts = await callProvider(provider, request, { transfer });
      expect(contentOf(parts)).toMatchObject([{ type: 'text', text: 'Hi there' }]);
      expect(finishOf(parts)).toMatchObject({ usage: { inputTokens: 3, outputTokens: 2 } });
      expect(server?.seen[0]).toMatchObject({
        path: '/v1/responses',
        headers: { authorization: 'Bearer cloud-key' },
        body: { model: 'openai.gpt-oss-120b' },
      });
      expect(provider.priceList).toBe('aws');
    });

    it('works with openaiChat()', async () => {
      const body = { choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] };
      const provider = openaiChat({ client: client(`${await start(answerJson(body))}/v1`) });
      expect(contentOf(await callProvider(provider, request))).toMatchObject([{ text: 'Hi' }]);
      expect(server?.seen[0]).toMatchObject({
        path: '/v1/chat/completions',
        headers: { authorization: 'Bearer cloud-key' },
      });
    });

    it('maps an error response to its code', async () => {
      const body = { error: { code: 'invalid_api_key', message: 'Invalid bearer token' } };
      const provider = openai({ client: client(await start(answerJson(body, 401))) });
      await expect(callProvider(provider, request)).rejects.toMatchObject({
        code: 'auth',
        status: 401,
      });
    });

    it('uses the URL of the cloud', () => {
      expect(home).toBe(address);
    });
  },
);

describe('a client whose token provider fails', () => {
  it('fails with auth, and sends nothing', async () => {
    const tokenProvider = async (): Promise<string> => {
      throw new Error('no token');
    };
    const baseURL = await start(answerJson(whole));
    const client = new OpenAI({ provider: vertex({ baseURL, tokenProvider }) });
    await expect(callProvider(openai({ client }), request)).rejects.toMatchObject({ code: 'auth' });
    expect(server?.seen).toEqual([]);
  });
});

describe("a model's name on AWS", () => {
  it('is recognised after the vendor prefix', () => {
    const provider = openai({ apiKey: 'k' });
    expect(provider.capabilities('openai.o3-mini')).toEqual(provider.capabilities('o3-mini'));
    expect([...provider.capabilities('openai.o3-mini')]).not.toContain('vision');
  });
});
