import { beforeAll, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import { apiKeys, createHandler, type Handler } from '../../src/server.ts';
import { fakeProvider } from '../../src/testing.ts';
import { sha256 } from '../support/served.ts';

let handler: Handler;

beforeAll(() => {
  const router = createRouter({
    providers: { fake: fakeProvider('Hello') },
    tiers: { chat: ['fake/m'] },
    defaults: { repairAttempts: 0, retry: { attempts: 0 } },
  });
  handler = createHandler(router, {
    authenticate: apiKeys([{ sha256: sha256('canary-key'), subject: 'me' }]),
    allowTags: ['feature'],
    maxBodyBytes: 20_000,
  });
});

/** A linear congruential generator, so that a failure can be repeated. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };

const chat = {
  model: 'chat',
  messages: [
    { role: 'system', content: 'canary-prompt' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'a' },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
        { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
        { type: 'file', file: { file_data: 'data:application/pdf;base64,AAAA', filename: 'a' } },
      ],
    },
    {
      role: 'assistant',
      content: null,
      reasoning_content: 'hm',
      reasoning_details: [{ type: 'reasoning.text', text: 'hm', signature: 'sb1.W10' }],
      tool_calls: [{ ...call, extra_content: { google: { thought_signature: 'sb1.W10' } } }],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'b' },
    { role: 'user', content: 'go on' },
  ],
  tools: [
    { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } },
  ],
  tool_choice: 'auto',
  response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'string' } } },
  temperature: 1,
  max_tokens: 5,
  stop: ['x'],
  stream: false,
  stream_options: { include_usage: true },
  metadata: { feature: 'a' },
  user: 'u',
};

const bodies: Readonly<Record<string, object>> = {
  '/v1/chat/completions': chat,
  '/v1/embeddings': { model: 'chat', input: ['a', 'b'], dimensions: 3, encoding_format: 'base64' },
  '/v1/images/generations': { model: 'chat', prompt: 'a', n: 1, size: '64x64' },
};

const values: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e308, '', 'canary-value', '\uD800', '\u0000', 'constructor'],
  ...[[], {}, [null], [[]], { type: 'text' }, { __proto__: null, toString: 1 }],
  ...[JSON.parse('{"__proto__":{"x":1}}'), 'x'.repeat(5_000), { a: { b: { c: {} } } }],
];

/** A copy with one value, at any depth, replaced or removed. */
function mutated(value: unknown, roll: (sides: number) => number): unknown {
  const isNested = typeof value === 'object' && value !== null;
  const names = isNested ? Object.keys(value) : [];
  const name = names[roll(names.length)];
  if (!isNested || name === undefined || roll(5) === 0) return values[roll(values.length)];
  const inner: unknown = Reflect.get(value, name);
  const changed = roll(8) === 0 ? undefined : mutated(inner, roll);
  if (Array.isArray(value))
    return value.map((each, index) => (String(index) === name ? changed : each));
  return { ...value, [name]: changed };
}

/** Text with a piece cut out, doubled, or replaced. */
function damaged(text: string, roll: (sides: number) => number): string {
  const from = roll(text.length);
  const to = from + roll(20);
  const piece = ['', text.slice(from, to).repeat(2), '[{"', '\\', '\u0000'][roll(5)] ?? '';
  return text.slice(0, from) + piece + text.slice(to);
}

it('answers malformed requests with a clear 4xx', async () => {
  const roll = dice(7);
  const paths = Object.keys(bodies);
  const statuses = new Map<number, number>();
  for (let count = 0; count < 500; count++) {
    const path = paths[roll(4)] ?? '/v1/chat/completions';
    let body: unknown = bodies[path];
    for (let changes = roll(3); changes >= 0; changes--) body = mutated(body, roll);
    const text = JSON.stringify(body) ?? '';
    const sent = roll(4) === 0 ? damaged(text, roll) : text;
    const answer = await handler(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { authorization: 'Bearer canary-key', 'content-type': 'application/json' },
        body: sent,
      }),
    );
    const reply = await answer.text();
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    // The fake's text does not fit every schema, and it makes no vectors and no images.
    const isUnable = answer.status === 502 || (answer.status === 503 && !path.includes('chat'));
    const isFine = answer.status < 500 || isUnable;
    expect(isFine, `${answer.status} ${reply} for ${path} ${sent}`).toBe(true);
    if (answer.status === 200) continue;
    expect(reply).not.toMatch(/canary|fake|\bat .*\.[jt]s|node_modules/);
    expect(JSON.parse(reply)).toMatchObject({ error: { message: expect.any(String) } });
  }
  expect(statuses.get(400)).toBeGreaterThan(100);
});
