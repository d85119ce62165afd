import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isSignalboxError } from '../../src/errors.ts';
import type { RouterEvent } from '../../src/protocol/events.ts';
import { apiKeys, createHandler, toNodeListener } from '../../src/server.ts';
import { clientKey, HandlerServer, sha256 } from '../support/served.ts';

let server: HandlerServer;

beforeAll(async () => {
  server = await HandlerServer.start();
});
afterAll(() => server.close());

const hash = sha256(clientKey);
const messages = [{ role: 'user', content: 'Hello' } as const];
const ask = { model: 'chat', messages };

describe('a client', () => {
  it.each([
    ['no key', {}],
    ['a wrong key', { authorization: 'Bearer wrong' }],
    ['an empty key', { authorization: 'Bearer ' }],
    ['a long key', { authorization: `Bearer ${'x'.repeat(5_000)}` }],
    ['a key in the URL only', {}],
  ])('with %s gets nothing', async (_, headers) => {
    server.serve();
    for (const [method, path] of [
      ['POST', '/chat/completions'],
      ['POST', '/embeddings'],
      ['GET', '/models'],
      ['GET', `/models/chat?key=${clientKey}`],
      ['GET', '/nothing'],
    ] as const) {
      const answer = await fetch(`${server.url}${path}`, { method, headers });
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
    }
    expect(server.simulators.compatible.log).toEqual([]);
  });

  it('may send its key as clients of Anthropic and Azure do', async () => {
    server.serve();
    for (const name of ['x-api-key', 'api-key', 'Authorization']) {
      const value = name === 'Authorization' ? `bearer ${clientKey}` : clientKey;
      const answer = await fetch(`${server.url}/models`, { headers: { [name]: value } });
      expect(answer.status).toBe(200);
    }
  });

  it('sees and calls only the tiers of its key', async () => {
    server.serve({ keys: [{ sha256: hash, subject: 'me', tiers: ['chat'] }] });
    const client = server.openai();
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toEqual(['chat']);
    expect(await client.models.retrieve('chat')).toMatchObject({ id: 'chat', object: 'model' });
    const missing = client.chat.completions.create({ ...ask, model: 'missing' });
    const forbidden = client.chat.completions.create({ ...ask, model: 'anthropic' });
    const errors = await Promise.all(
      [missing, forbidden].map((each) => each.then(String, (error: unknown) => error)),
    );
    expect(errors[0]).toBeInstanceOf(OpenAI.NotFoundError);
    expect(String(errors[1])).toBe(String(errors[0]));
    for (const asked of [
      client.models.retrieve('anthropic'),
      client.embeddings.create({ model: 'anthropic', input: 'a' }),
      client.images.generate({ model: 'anthropic', prompt: 'a' }),
      client.chat.completions.create({ ...ask, model: 'constructor' }),
    ]) {
      await expect(asked).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    }
    expect(server.simulators.anthropic.log).toEqual([]);
  });

  it("sets only the tags that are allowed, and never the key's", async () => {
    const { router } = server.serve({
      keys: [{ sha256: hash, subject: 'me', tags: { team: 'search' } }],
      allowTags: ['feature', 'team'],
    });
    const events: RouterEvent[] = [];
    router.on('call-end', (event) => events.push(event));
    await server
      .openai()
      .chat.completions.create(
        { ...ask, metadata: { feature: 'chat', team: 'other', subject: 'other', secret: 'x' } },
        { headers: { 'x-signalbox-tags': '{"feature":"header","__proto__":"x"}' } },
      );
    expect(events[0]).toMatchObject({ tags: { feature: 'header', team: 'search', subject: 'me' } });
    expect(events[0]).not.toHaveProperty('tags.secret');
    const bad = await server.post('/chat/completions', JSON.stringify(ask), {
      'x-signalbox-tags': '{',
    });
    expect(bad.status).toBe(400);
  });

  it('sees target, call and cost only with expose', async () => {
    const names = ['x-signalbox-target', 'x-signalbox-call-id', 'x-signalbox-cost-usd'];
    for (const expose of [true, false]) {
      server.serve({ keys: [{ sha256: hash, subject: 'me', expose }] });
      const answer = await server.post(
        '/chat/completions',
        JSON.stringify({ ...ask, model: 'responses' }),
      );
      for (const name of names) expect(answer.headers.has(name)).toBe(expose);
      expect(answer.headers.get('x-request-id')).toMatch(/^req_[a-z0-9]+$/);
      const streamed = await server.post(
        '/chat/completions',
        JSON.stringify({ ...ask, stream: true }),
      );
      expect(streamed.headers.has('x-signalbox-target')).toBe(expose);
      await streamed.text();
    }
  });

  it('sends no header to a vendor', async () => {
    server.serve();
    await server.post('/chat/completions', JSON.stringify(ask), {
      'x-smuggled': 'canary',
      'openai-organization': 'canary',
      'user-agent': 'canary',
    });
    const [request] = server.simulators.compatible.log;
    expect(JSON.stringify(request)).not.toContain('canary');
    expect(JSON.stringify(request)).not.toContain(clientKey);
  });

  it('has a budget by its subject', async () => {
    server.serve({
      keys: [
        { sha256: hash, subject: 'poor' },
        { sha256: sha256('other'), subject: 'rich' },
      ],
      config: { budgets: { each: { by: 'subject', requests: 1, per: 'day' } } },
    });
    await server.openai().chat.completions.create(ask);
    await expect(server.openai().chat.completions.create(ask)).rejects.toMatchObject({
      status: 402,
      code: 'insufficient_quota',
    });
    await server.openai('other').chat.completions.create(ask);
  });
});

describe('authenticate', () => {
  const request = (): Request =>
    new Request('http://localhost/v1/models', { headers: { 'x-user': 'ann' } });

  it('may be a function of the program, which sees the request without its body', async () => {
    const authenticate = vi.fn(async ({ headers }: Request) =>
      headers.get('x-user') === 'ann' ? { subject: 'ann' } : null,
    );
    const { handler } = server.serve({ authenticate });
    expect((await handler(request())).status).toBe(200);
    const answer = await fetch(`${server.url}/models?x=1`, { headers: { 'x-user': 'bob' } });
    expect(answer.status).toBe(401);
    expect(authenticate.mock.lastCall?.[0].url).toMatch(/\/v1\/models$/);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('database password is swordfish'))],
    ['returns nonsense', () => ({ subject: '' })],
    ['returns true', () => true as never],
  ])('that %s is a 500 without details', async (_, authenticate) => {
    const { handler } = server.serve({ authenticate });
    const answer = await handler(request());
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toMatch(/swordfish|subject/);
  });
});

function problemOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (isSignalboxError(error, 'config')) return error.message;
  }
  return 'none';
}

describe('configuration', () => {
  it.each([
    ['no keys', () => apiKeys([]), 'at least one key'],
    [
      'a key in clear',
      () => apiKeys([{ sha256: 'secret', subject: 'a' }]),
      '64 hexadecimal digits',
    ],
    ['no subject', () => apiKeys([{ sha256: hash, subject: '' }]), 'subject'],
    [
      'the same key twice',
      () =>
        apiKeys([
          { sha256: hash, subject: 'a' },
          { sha256: hash.toUpperCase(), subject: 'b' },
        ]),
      '[1].sha256: this key is there already',
    ],
    [
      'a subject among the tags',
      () => apiKeys([{ sha256: hash, subject: 'a', tags: { subject: 'b' } }]),
      'tags must not contain subject',
    ],
    [
      'tiers that are no list',
      () => apiKeys([{ sha256: hash, subject: 'a', tiers: 'x' as never }]),
      'tiers',
    ],
  ])('of apiKeys with %s is rejected', (_, make, message) => {
    expect(problemOf(make)).toContain(message);
    expect(problemOf(make)).not.toContain('secret');
  });

  it.each([
    [{}, 'authenticate'],
    [{ authenticate: false }, 'authenticate'],
    [{ basePath: 'v1' }, 'basePath'],
    [{ basePath: '/v1/' }, 'basePath'],
    [{ maxBodyBytes: 0 }, 'maxBodyBytes'],
    [{ allowTags: ['subject'] }, 'subject'],
    [{ allowTags: 'team' }, 'allowTags'],
    [{ cors: true }, 'cors'],
  ])('of createHandler with %j is rejected', (options, message) => {
    const { router } = server.serve();
    const authenticate = apiKeys([{ sha256: hash, subject: 'a' }]);
    const all = message === 'authenticate' ? options : { authenticate, ...options };
    expect(problemOf(() => createHandler(router, all as never))).toContain(message);
  });

  it('of other things is rejected', () => {
    expect(problemOf(() => createHandler({} as never, {} as never))).toContain('router');
    expect(problemOf(() => toNodeListener(async () => new Response()))).toContain('createHandler');
  });
});
