import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Plugin, StreamPart } from '../../../src/index.ts';
import { isSignalboxError } from '../../../src/index.ts';
import { type RedactPiiOptions, redactPii } from '../../../src/policies.ts';
import type { PluginParts } from '../../../src/protocol/plugin.ts';
import { createRouter } from '../../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../../src/testing/fake-runtime.ts';
import { testPlugin } from '../../../src/testing/plugin-contract.ts';
import { vectorsAndImages } from '../../support/vectors-and-images.ts';

type Setting = {
  readonly a?: FakeScript;
  readonly b?: FakeScript;
  readonly tier?: object;
  readonly pii?: Partial<RedactPiiOptions>;
  readonly inner?: readonly Plugin[];
};

function setUp({ a = 'fine', b = 'spare', tier, pii, inner = [] }: Setting = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = { a: fakeProvider(a, { runtime }), b: fakeProvider(b, { runtime }) };
  const router = createRouter({
    runtime,
    providers,
    tiers: { t: { targets: ['a/m', 'b/m'], retry: { attempts: 1, minMs: 1 }, ...tier } },
    plugins: [redactPii({ regions: ['US'], ...pii }), ...inner],
  });
  return { router, ...providers };
}

const sent = (fake: { readonly calls: readonly { readonly request: object }[] }): string =>
  JSON.stringify(fake.calls.map(({ request }) => request));

async function read(parts: AsyncIterable<StreamPart>): Promise<readonly StreamPart[]> {
  const all: StreamPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

function textOf(parts: readonly StreamPart[]): string {
  return parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('');
}

const prompt = 'I am ada@x.org, and he is bob@y.org.';

describe('redactPii in requests', () => {
  it('replaces text, results, arguments, descriptions, file names and the content of text files', async () => {
    const { router, a } = setUp();
    await router.complete(
      't',
      [
        {
          role: 'user',
          content: [
            { type: 'text', text: prompt },
            {
              type: 'file',
              filename: 'cv of ada@x.org.txt',
              source: {
                data: Buffer.from('Mail: eve@z.org').toString('base64'),
                mediaType: 'text/plain',
              },
            },
          ],
        },
        {
          role: 'assistant',
          content: [
            {
              type: 'tool-call',
              id: '1',
              name: 'find',
              input: { to: ['ada@x.org'], phoneNumber: 7806326 },
            },
            { type: 'tool-call', id: '2', name: 'find', input: {} },
          ],
        },
        {
          role: 'tool',
          content: [
            {
              type: 'tool-result',
              id: '1',
              name: 'find',
              output: { 'bob@y.org': { ip: '91.4.56.7' } },
            },
            {
              type: 'tool-result',
              id: '2',
              name: 'find',
              output: [{ type: 'text', text: 'card 4111 1111 1111 1111, call 7806326' }],
            },
          ],
        },
      ],
      {
        system: 'You work for boss@x.org.',
        tools: [
          {
            name: 'find',
            description: 'Ask help@x.org first.',
            inputSchema: {
              type: 'object',
              properties: { to: { type: 'array', description: 'Such as ada@x.org' } },
            },
          },
        ],
      },
    );
    const [call] = a.calls;
    const file = call?.request.messages[1]?.content[1];
    expect(file).toMatchObject({
      filename: 'cv of <EMAIL_2>.txt',
      source: { data: Buffer.from('Mail: <EMAIL_4>').toString('base64') },
    });
    expect(call?.request).toMatchObject({
      messages: [
        { content: [{ text: 'You work for <EMAIL_1>.' }] },
        { content: [{ text: 'I am <EMAIL_2>, and he is <EMAIL_3>.' }, {}] },
        { content: [{ input: { to: ['<EMAIL_2>'], phoneNumber: '<PHONE_1>' } }, {}] },
        {
          content: [
            { output: { '<EMAIL_3>': { ip: '<IP_1>' } } },
            // Without the word that it was found by.
            { output: [{ text: 'card <CARD_1>, call <PHONE_1>' }] },
          ],
        },
      ],
      tools: [
        {
          description: 'Ask <EMAIL_5> first.',
          inputSchema: { properties: { to: { type: 'array', description: 'Such as <EMAIL_2>' } } },
        },
      ],
    });
  });

  it('replaces what the schema of the answer says, and checks the answer against the original', async () => {
    const { router, a } = setUp({ a: { object: { to: '<EMAIL_1>' } } });
    const schema = z.object({ to: z.enum(['ada@x.org', 'eve@z.org']).describe('not bob@y.org') });
    const { object } = await router.complete('t', 'Whom do I write to?', { schema });
    expect(object).toEqual({ to: 'ada@x.org' });
    expect(sent(a)).not.toMatch(/@[xyz]\.org/);
  });

  it('replaces the values of embed and the prompt of image', async () => {
    const { provider, requests } = vectorsAndImages();
    const router = createRouter({
      providers: { p: provider },
      tiers: { t: ['p/m'] },
      plugins: [redactPii({ regions: [] })],
    });
    await router.embed('t', ['of ada@x.org', 'of bob@y.org', 'of ada@x.org!']);
    await router.image('t', 'a card for ada@x.org');
    expect(requests).toEqual([
      ['of <EMAIL_1>', 'of <EMAIL_2>', 'of <EMAIL_1>!'],
      'a card for <EMAIL_1>',
    ]);
  });

  it('keeps media and opaque data as they are', async () => {
    const { router, a } = setUp();
    const url = 'https://user:secret@x.org/ada@x.org.png';
    const data = Buffer.from('ada@x.org').toString('base64');
    await router.complete('t', [
      {
        role: 'user',
        content: [
          { type: 'image', source: { url } },
          { type: 'image', source: { data, mediaType: 'image/png' } },
          { type: 'text', text: 'What is this?' },
        ],
      },
    ]);
    expect(a.calls[0]?.request.messages[0]?.content).toMatchObject([
      { source: { url } },
      { source: { data } },
      {},
    ]);
  });

  it('does not take the text of the prompt for one of its placeholders', async () => {
    const { router, a } = setUp({ a: '<EMAIL_1> is a placeholder, <EMAIL_2> is you' });
    const { text } = await router.complete('t', 'I am ada@x.org. What does <EMAIL_1> mean?');
    expect(sent(a)).toContain('I am <EMAIL_2>. What does <EMAIL_1> mean?');
    expect(text).toBe('<EMAIL_1> is a placeholder, ada@x.org is you');
  });

  it('replaces only the chosen kinds, own kinds, and what detect finds', async () => {
    const { router, a } = setUp({
      a: 'Hello <PERSON_1> of <CUSTOMER_1>',
      pii: {
        kinds: ['card'],
        custom: { customer: /C-\d{4}/ },
        async detect(text) {
          const start = text.indexOf('Ada Lovelace');
          return start === -1 ? [] : [{ kind: 'person', start, end: start + 12 }];
        },
      },
    });
    const { text } = await router.complete('t', 'Ada Lovelace, C-1234, ada@x.org');
    expect(sent(a)).toContain('<PERSON_1>, <CUSTOMER_1>, ada@x.org');
    expect(text).toBe('Hello Ada Lovelace of C-1234');
  });

  it('reports how many of each kind it replaced, and nothing of them', async () => {
    const { router } = setUp();
    const verdicts: unknown[] = [];
    router.on('policy-verdict', ({ policy, kind, counts }) => {
      verdicts.push({ policy, kind, counts });
    });
    await router.complete('t', `${prompt} Again: ada@x.org.`);
    await router.complete('t', 'nothing');
    expect(verdicts).toEqual([{ policy: 'pii', kind: 'redact', counts: { email: 3 } }]);
  });

  it('replaces all of what overlapping spans cover', async () => {
    const { router, a } = setUp({ pii: { custom: { contact: /Ada <ada|org, Lond/ } } });
    await router.complete('t', 'Write to Ada <ada@x.org, London> please');
    expect(sent(a)).toContain('Write to <CONTACT_1><EMAIL_1><CONTACT_2>on> please');
  });

  it('sends nothing when detect fails, and the request as it is with failOpen', async () => {
    const detect = () => {
      throw new Error('no model');
    };
    const closed = setUp({ pii: { detect } });
    const error = await closed.router.complete('t', prompt).catch((thrown: unknown) => thrown);
    expect(isSignalboxError(error, 'plugin_failed') && error.policy).toBe('pii');
    expect(closed.a.calls).toEqual([]);
    const open = setUp({ pii: { detect, failOpen: true } });
    expect((await open.router.complete('t', prompt)).text).toBe('fine');
    expect(sent(open.a)).toContain('ada@x.org');
  });

  it('skips the tiers of exceptTiers', async () => {
    const { router, a } = setUp({ pii: { exceptTiers: ['t'] } });
    await router.complete('t', prompt);
    expect(sent(a)).toContain('ada@x.org');
  });
});

describe('redactPii in answers', () => {
  const answer = 'Dear <EMAIL_1>, **<email_2>** and <EMAIL\\_1> wrote to <EMAIL_3>.';
  const restored = 'Dear ada@x.org, **bob@y.org** and ada@x.org wrote to <EMAIL_3>.';

  it.each([1, 2, 3, 7, 11])('restores a stream in chunks of %i characters', async (size) => {
    const chunks = answer.match(new RegExp(`.{1,${size}}`, 'g')) ?? [];
    const { router } = setUp({ a: { chunks } });
    const parts = await read(router.stream('t', prompt));
    expect(textOf(parts)).toBe(restored);
    expect(parts.at(-1)).toMatchObject({ completion: { text: restored } });
  });

  it('leaves placeholders with restore: false', async () => {
    const { router } = setUp({ a: answer, pii: { restore: false } });
    expect((await router.complete('t', prompt)).text).toBe(answer);
  });

  it('restores reasoning and the arguments of tools, in deltas that are JSON', async () => {
    const { router } = setUp({
      a: {
        reasoning: 'It is <EMAIL_1>.',
        toolCalls: [{ name: 'send', input: { to: '<EMAIL_1>', '<EMAIL_2>': ['<PERSON_1>'] } }],
      },
      pii: {
        detect: (text) => {
          const start = text.indexOf('"Ada"\n');
          return start === -1 ? [] : [{ kind: 'person', start, end: start + 6 }];
        },
      },
    });
    const tools = [{ name: 'send', inputSchema: { type: 'object' } }];
    const parts = await read(router.stream('t', `${prompt} Call me "Ada"\n.`, { tools }));
    const expected = { to: 'ada@x.org', 'bob@y.org': ['"Ada"\n'] };
    const deltas = parts.map((part) => (part.type === 'tool-call-delta' ? part.delta : ''));
    expect(JSON.parse(deltas.join(''))).toEqual(expected);
    expect(parts.at(-1)).toMatchObject({
      completion: { reasoningText: 'It is ada@x.org.', toolCalls: [{ input: expected }] },
    });
  });

  it('restores an object, also values that JSON escapes', async () => {
    const secret = 'postgres://me:pa"ss\\word@db';
    const { router } = setUp({
      a: { chunks: [...'{"who":"<EMAIL_1>","db":"postgres://<LOGIN_1>@db"}'] },
      pii: { custom: { login: /me:pa"ss\\word/ } },
    });
    const schema = z.object({ who: z.string(), db: z.string() });
    const { object } = await router.complete('t', `${prompt} ${secret}`, { schema });
    expect(object).toEqual({ who: 'ada@x.org', db: secret });
    const parts = await read(router.stream('t', `${prompt} ${secret}`, { schema }));
    expect(JSON.parse(textOf(parts))).toEqual(object);
  });

  it('moves citations with the text', async () => {
    const text = '<EMAIL_1> is right.';
    const citations = [{ start: 10, end: 18, citedText: 'as <EMAIL_1> said', raw: {} }];
    const cites: Plugin = {
      name: 'cites',
      async *wrapCall(_, next) {
        for await (const batch of next()) {
          yield batch.map((part): PluginParts[number] =>
            part.type === 'finish'
              ? {
                  ...part,
                  completion: { ...part.completion, content: [{ type: 'text', text, citations }] },
                }
              : part,
          );
        }
      },
    };
    const { router } = setUp({ a: text, inner: [cites] });
    const { content } = await router.complete('t', prompt);
    const [part] = content;
    if (part?.type !== 'text') throw new Error('must be text');
    const { start, end, citedText } = part.citations?.[0] ?? {};
    expect(part.text.slice(start, end)).toBe('is right');
    expect(citedText).toBe('as ada@x.org said');
  });

  it.each(['restart', 'continue'])('survives a stream that breaks off: %s', async (midStream) => {
    const { router, a, b } = setUp({
      a: { chunks: ['Dear <EM', 'AIL'], cutAfter: 2 },
      b: midStream === 'restart' ? 'Hi <EMAIL_2>' : '_1>!',
      tier: { midStream, retry: { attempts: 0 } },
    });
    const parts = await read(router.stream('t', prompt));
    const at = parts.findIndex(({ type }) => type === 'restart');
    expect(textOf(parts.slice(at + 1))).toBe(
      midStream === 'restart' ? 'Hi bob@y.org' : 'Dear ada@x.org!',
    );
    expect(sent(a) + sent(b)).not.toMatch(/@[xy]\.org/);
  });

  it('restores what had arrived when a stream fails', async () => {
    const { router } = setUp({
      a: { chunks: ['Dear <EMAIL_1>, <EMA', 'IL'], cutAfter: 2 },
      tier: { midStream: 'fail' },
    });
    const error = await read(router.stream('t', prompt)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ partial: { text: 'Dear ada@x.org, <EMAIL' } });
  });

  it('survives retries, failover, hedges and repairs, and redacts what they send', async () => {
    const error = 'server_error';
    const failing = setUp({ a: { error }, b: answer });
    expect((await failing.router.complete('t', prompt)).text).toBe(restored);
    const hedged = setUp({
      a: { hang: true },
      b: answer,
      tier: { hedge: { afterMs: 10 } },
    });
    expect((await hedged.router.complete('t', prompt)).text).toBe(restored);
    const repaired = setUp({ a: ['To <EMAIL_1>', answer] });
    const { text } = await repaired.router.complete('t', prompt, {
      validate: (completion) =>
        completion.text === 'To ada@x.org' ? 'do not write to ada@x.org or eve@z.org' : true,
    });
    expect(text).toBe(restored.replace('<EMAIL_3>', 'eve@z.org'));
    expect(repaired.a.calls).toHaveLength(2);
    expect(sent(repaired.a)).toContain('do not write to <EMAIL_1> or <EMAIL_3>');
    for (const { a, b } of [failing, hedged, repaired]) {
      expect(sent(a) + sent(b)).not.toMatch(/@[xyz]\.org/);
    }
  });

  it('gives each caller their own values back from one shared or cached answer', async () => {
    const kept = new Map<string, PluginParts>();
    const cache: Plugin = {
      name: 'cache',
      async *wrapCall(call, next) {
        const key = JSON.stringify(call.request);
        const known = kept.get(key);
        if (known !== undefined) yield known;
        else
          for await (const batch of next()) {
            kept.set(key, [...(kept.get(key) ?? []), ...batch]);
            yield batch;
          }
      },
    };
    const { router, a } = setUp({ a: 'Dear <EMAIL_1>!', inner: [cache] });
    const texts: string[] = [];
    for (const who of ['ada@x.org', 'bob@y.org']) {
      texts.push(textOf(await read(router.stream('t', `I am ${who}`))));
    }
    expect(texts).toEqual(['Dear ada@x.org!', 'Dear bob@y.org!']);
    expect(a.calls).toHaveLength(1);
    expect(JSON.stringify([...kept])).not.toMatch(/@[xy]\.org/);
  });

  it('keeps no value from one call to the next', async () => {
    const { router } = setUp({ a: 'Dear <EMAIL_1>!' });
    expect((await router.complete('t', 'I am ada@x.org')).text).toBe('Dear ada@x.org!');
    expect((await router.complete('t', 'Who am I?')).text).toBe('Dear <EMAIL_1>!');
  });
});

describe('the contract of plugins', () => {
  const cases = testPlugin({
    plugin: () => redactPii({ regions: ['US'] }),
    prompt,
    answer: 'Redis listens on port 6379, <EMAIL_1> said to <email_2>, not <EMAIL_3>.',
  });
  it.each(cases)('$name', ({ run }) => run());
});

describe('the options of redactPii', () => {
  it.each<[string, unknown, string]>([
    ['no regions', {}, 'redactPii().regions: must be a list of country codes'],
    ['an unknown region', { regions: ['UK'] }, 'redactPii().regions[0]: must be a country code'],
    [
      'an unknown kind',
      { regions: [], kinds: ['mail'] },
      'redactPii().kinds[0]: there is no kind "mail"',
    ],
    ['an unknown option', { regions: [], kind: [] }, 'did you mean "kinds"?'],
    ['a text as a pattern', { regions: [], custom: { id: 'x' } }, 'custom.id: must be a regular'],
    [
      'a kind with digits',
      { regions: [], custom: { id2: /x/ } },
      'custom.id2: a kind must be letters',
    ],
    ['detect that is no function', { regions: [], detect: true }, 'detect: must be a function'],
  ])('are rejected with %s', (_, options, message) => {
    expect(() => redactPii(options as RedactPiiOptions)).toThrow(message);
  });
});
