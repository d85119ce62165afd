import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Client } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { serverPackage } from '../../src/apps/mcp/server-package.ts';
import { createRouter, type Router } from '../../src/index.ts';
import { createMcpServer } from '../../src/mcp.ts';
import { openai } from '../../src/openai.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { connect, connectByHttp, eras } from '../support/mcp.ts';

let vendors: SimulatedProviders;
let router: Router<'fast' | 'smart'>;

beforeAll(async () => {
  vendors = await simulateProviders();
  router = createRouter({
    providers: { openai: openai({ baseURL: vendors.openai.baseURL, apiKey: 'sk-secret-key' }) },
    tiers: {
      fast: {
        targets: ['openai/gpt-5.4-mini'],
        retry: { attempts: 0 },
        // So that no timeout closes a socket.
        timeouts: { firstTokenMs: 600_000 },
      },
      smart: ['openai/gpt-5.4'],
    },
    budgets: { subject: { by: 'subject', usd: 1_000, per: 'day' } },
  });
});
beforeEach(() => vendors.reset());
afterAll(async () => {
  await router.close();
  await vendors.close();
});

it('names the package that is missing, and how to install it', () => {
  const resolve = (name: string): string => import.meta.resolve(`${name}-missing`);
  expect(() => serverPackage(resolve)).toThrow(
    'createMcpServer() needs the package "@modelcontextprotocol/server"; install it: npm i @modelcontextprotocol/server',
  );
});

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

type Result = Awaited<ReturnType<Client['callTool']>>;

function textOf({ content }: Result): string {
  return content.map((block) => (block.type === 'text' ? block.text : block.type)).join('\n');
}

/** A call of a tool of a server in this process. */
async function call(
  name: string,
  input: Record<string, unknown>,
  options: Parameters<typeof createMcpServer<'fast' | 'smart'>>[1] = {},
): Promise<Result> {
  const client = await connect(createMcpServer(router, options));
  const result = await client.callTool({ name, arguments: input });
  await client.close();
  return result;
}

describe.each(eras)('a client of the protocol of %s, over HTTP', (version, mode) => {
  it('lists the tools and calls them', async () => {
    vendors.openai.answer('four');
    const client = await connectByHttp(() => createMcpServer(router), mode);
    expect(client.getNegotiatedProtocolVersion()).toBe(version);

    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['complete', 'explain', 'snapshot']);
    expect(tools[0]?.inputSchema.properties).toMatchObject({ tier: { enum: ['fast', 'smart'] } });
    expect(tools.map(({ annotations }) => annotations?.readOnlyHint)).toEqual([false, true, true]);

    const input = { tier: 'fast', prompt: 'What is two and two?' };
    const answer = await client.callTool({ name: 'complete', arguments: input });
    expect(answer.content).toEqual([{ type: 'text', text: 'four' }]);
    expect(answer.structuredContent).toMatchObject({
      text: 'four',
      tier: 'fast',
      target: 'openai/gpt-5.4-mini',
      finishReason: 'stop',
      cost: { usd: expect.any(Number) },
      callId: expect.stringMatching(/^call_/),
    });

    const plan = await client.callTool({ name: 'explain', arguments: input });
    expect(plan.structuredContent).toMatchObject({
      candidates: [{ target: 'openai/gpt-5.4-mini' }],
    });
    const state = await client.callTool({ name: 'snapshot', arguments: {} });
    expect(state.structuredContent).toMatchObject({
      targets: { 'openai/gpt-5.4-mini': { circuit: 'closed' } },
    });
    expect(vendors.openai.log).toHaveLength(1);
    await client.close();
  });

  it("closes the vendor's socket when it leaves", async () => {
    vendors.openai.fault({ type: 'silence' });
    const client = await connectByHttp((signal) => createMcpServer(router, { signal }), mode);
    const input = { tier: 'fast', prompt: 'hi' };
    const answer = client.callTool({ name: 'complete', arguments: input });
    const left = expect(answer).rejects.toThrow();
    await expect.poll(() => vendors.openai.openRequests).toBe(1);
    // The signal of a request's clone, which the package passes on, would be lost here.
    collectGarbage();
    await client.close();
    await left;
    await expect.poll(() => vendors.openai.log[0]?.aborted).toBe(true);
  });
});

describe('a cancelled call', () => {
  it("closes the vendor's socket, over HTTP with the stateless protocol", async () => {
    vendors.openai.fault({ type: 'silence' });
    const client = await connectByHttp(() => createMcpServer(router), { pin: '2026-07-28' });
    const abort = new AbortController();
    const input = { tier: 'fast', prompt: 'hi' };
    const answer = client.callTool(
      { name: 'complete', arguments: input },
      { signal: abort.signal },
    );
    await expect.poll(() => vendors.openai.openRequests).toBe(1);
    abort.abort(new Error('changed my mind'));
    await expect(answer).rejects.toThrow('changed my mind');
    await expect.poll(() => vendors.openai.log[0]?.aborted).toBe(true);
    await client.close();
  });

  it("closes the vendor's socket, over a connection that stays open", async () => {
    vendors.openai.fault({ type: 'silence' });
    const client = await connect(createMcpServer(router));
    const abort = new AbortController();
    const answer = client.callTool(
      { name: 'complete', arguments: { tier: 'fast', prompt: 'hi' } },
      { signal: abort.signal },
    );
    await expect.poll(() => vendors.openai.openRequests).toBe(1);
    abort.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => vendors.openai.log[0]?.aborted).toBe(true);
    await client.ping();
    await client.close();
  });
});

describe('complete', () => {
  it('sends a conversation, and returns an answer that fits the schema as data', async () => {
    vendors.openai.answer('{"sum":4}');
    const { structuredContent } = await call('complete', {
      tier: 'smart',
      system: 'Be brief.',
      messages: [
        { role: 'user', content: 'Two and two?' },
        { role: 'assistant', content: 'Four.' },
        { role: 'user', content: 'As data.' },
      ],
      maxOutputTokens: 100,
      schema: {
        type: 'object',
        properties: { sum: { type: 'number' } },
        required: ['sum'],
        additionalProperties: false,
      },
    });
    expect(structuredContent).toMatchObject({ object: { sum: 4 }, target: 'openai/gpt-5.4' });
    const body = JSON.stringify(vendors.openai.log[0]?.body);
    for (const text of ['Be brief.', 'Four.', 'As data.', '"max_output_tokens":100'])
      expect(body).toContain(text);
  });

  it('has the tags of the server', async () => {
    const tags: unknown[] = [];
    const off = router.on('call-start', (event) => tags.push(event.tags));
    await call('complete', { tier: 'fast', prompt: 'hi' }, { tags: { subject: 'ada' } });
    off();
    expect(tags).toEqual([{ subject: 'ada' }]);
  });

  it.each([
    [{ tier: 'fast' }, /one of "prompt" and "messages" is required/],
    [{ tier: 'fast', prompt: 'a', messages: [{ role: 'user', content: 'a' }] }, /one of "prompt"/],
    [{ tier: 'fats', prompt: 'a' }, /"fast"\|"smart"/],
    [{ tier: 'fast', prompt: 'a', providerOptions: {} }, /providerOptions/],
    [{ tier: 'fast', prompt: 'a', schema: { type: 'nonsense' } }, /schema/],
    [{ prompt: 7 }, /tier[\s\S]*prompt/],
  ])('rejects %j with a reason', async (input, reason) => {
    const result = await call('complete', input);
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(reason);
    expect(vendors.openai.log).toHaveLength(0);
  });

  it('reports a failure with its code, and neither the key nor the prompt nor a stack', async () => {
    vendors.openai.fault({
      type: 'status',
      status: 401,
      message: 'Incorrect API key sk-secret-key for "my prompt"',
    });
    const result = await call('complete', { tier: 'fast', prompt: 'my prompt' });
    expect(result.isError).toBe(true);
    expect(result._meta).toMatchObject({ 'signalbox/error': { code: 'all_targets_failed' } });
    expect(textOf(result)).toMatch(/^all_targets_failed: /);
    expect(JSON.stringify(result)).not.toMatch(/secret|my prompt|\.ts|node_modules/);
  });

  it('says nothing of an error that is not ours', async () => {
    const broken = createRouter({
      providers: { fake: fakeProvider() },
      tiers: { fast: ['fake/a'] },
    });
    const complete = () => Promise.reject(new Error('password hunter2'));
    const server = createMcpServer({ ...broken, complete } as typeof broken);
    const client = await connect(server);
    const result = await client.callTool({
      name: 'complete',
      arguments: { tier: 'fast', prompt: 'hi' },
    });
    expect(textOf(result)).toBe('internal: The call failed.');
    await client.close();
    await broken.close();
  });

  it('reports progress to a client that wants it, so that a slow answer does not time out', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answer = Promise.withResolvers<never>();
    const progress: number[] = [];
    const slow = { ...router, complete: () => answer.promise } as unknown as typeof router;
    const client = await connect(createMcpServer(slow));
    const result = client.callTool(
      { name: 'complete', arguments: { tier: 'fast', prompt: 'hi' } },
      {
        timeout: 8_000,
        resetTimeoutOnProgress: true,
        onprogress: (each) => progress.push(each.progress),
      },
    );
    await vi.advanceTimersByTimeAsync(21_000);
    expect(progress).toEqual([1, 2, 3, 4]);
    answer.reject(new Error('enough'));
    expect((await result).isError).toBe(true);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(progress).toHaveLength(4);
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    await client.close();
  });
});

describe('tiers', () => {
  it('are the only ones that clients see', async () => {
    const client = await connect(createMcpServer(router, { tiers: ['smart'] }));
    const { tools } = await client.listTools();
    expect(JSON.stringify(tools)).not.toContain('fast');
    const state = await client.callTool({ name: 'snapshot', arguments: {} });
    expect(state.structuredContent).toHaveProperty('targets', {
      'openai/gpt-5.4': expect.anything(),
    });
    expect(state.structuredContent).not.toHaveProperty('budgets');
    for (const name of ['complete', 'explain']) {
      const result = await client.callTool({ name, arguments: { tier: 'fast', prompt: 'hi' } });
      expect(result.isError).toBe(true);
    }
    expect(vendors.openai.log).toHaveLength(0);
    await client.close();
  });

  it('must not be an empty list', () => {
    expect(() => createMcpServer(router, { tiers: [] })).toThrow('tiers must not be empty');
  });

  it('are those of the configuration in force', async () => {
    const changing: Router = createRouter({
      providers: { fake: fakeProvider() },
      tiers: { fast: ['fake/a'] },
    });
    const client = await connect(createMcpServer(changing));
    changing.reconfigure({ tiers: { fast: ['fake/a'], slow: ['fake/b'] } });
    const result = await client.callTool({
      name: 'complete',
      arguments: { tier: 'slow', prompt: 'hi' },
    });
    expect(result.structuredContent).toMatchObject({ target: 'fake/b' });
    await client.close();
    await changing.close();
  });
});

describe('an unknown tool', () => {
  it('is an error of the protocol', async () => {
    await expect(call('drop_database', {})).rejects.toThrow('there is no tool of that name');
  });
});
