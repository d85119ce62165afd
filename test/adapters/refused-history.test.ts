import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Message, Part } from '../../src/protocol/message.ts';
import type { Tool } from '../../src/protocol/request.ts';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { vendorNames, vendorsOf } from '../support/vendors.ts';

let simulators: SimulatedProviders;

beforeAll(async () => {
  simulators = await simulateProviders();
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

const inputSchema = { type: 'object', properties: { city: { type: 'string' } } };
const weather: Tool = { name: 'weather', inputSchema };

/** The body that a conversation becomes on a wire, as JSON. */
async function sentTo(
  name: (typeof vendorNames)[number],
  messages: readonly Message[],
  options: { readonly tools?: readonly Tool[]; readonly system?: string } = {},
): Promise<string> {
  const vendor = vendorsOf(simulators).find((each) => each.name === name);
  if (vendor === undefined) throw new Error('unknown vendor');
  const { provider, model, simulator } = vendor;
  const router = createRouter({ providers: { v: provider }, tiers: { t: [`v/${model}`] } });
  await router.complete('t', messages, options);
  await router.close();
  return JSON.stringify(simulator.log.at(-1)?.body);
}

const looping = (call: Partial<Part>, result: Partial<Part> = {}): readonly Message[] => [
  { role: 'user', content: 'Hello' },
  {
    role: 'assistant',
    content: [{ type: 'tool-call', id: 'a', name: 'weather', input: {}, ...call } as Part],
  },
  {
    role: 'tool',
    content: [{ type: 'tool-result', id: 'a', name: 'weather', output: 'x', ...result } as Part],
  },
];

describe.each(vendorNames)('half of a surrogate pair on the wire %s', (name) => {
  const cut = 'Party \u{1F389}'.slice(0, 7);

  it.each([
    ['a user turn', [{ role: 'user', content: cut }], {}],
    ['the system turn', [{ role: 'system', content: cut }, ...looping({})], {}],
    ['the option system', looping({}), { system: cut }],
    ['an answer', [...looping({}), { role: 'assistant', content: cut }, ...looping({})], {}],
    ['the input of a call', looping({ input: { [cut]: [cut] } }), {}],
    ['the result of a tool', looping({}, { output: { [cut]: [cut] } }), {}],
    ['the text parts of a result', looping({}, { output: [{ type: 'text', text: cut }] }), {}],
    ['a tool', looping({}), { tools: [{ ...weather, description: cut }] }],
  ] as const satisfies readonly (readonly [string, readonly Message[], object])[])(
    'is replaced in %s',
    async (_place, messages, options) => {
      const sent = await sentTo(name, messages, options);
      expect(sent).toContain('Party \ufffd');
      expect(sent).not.toMatch(/\\ud[89a-f]/);
    },
  );

  it('is not seen in a whole pair', async () => {
    expect(await sentTo(name, [{ role: 'user', content: 'Party \u{1F389}' }])).toContain(
      '\u{1F389}',
    );
  });
});

describe.each(vendorNames)('the name of a tool on the wire %s', (name) => {
  it.each([
    ['weather<|channel|>commentary', 'weather_channel_commentary'],
    ['', 'unknown_tool'],
    ['7 days', '_7_days'],
    ['w'.repeat(200), 'w'.repeat(63)],
  ])('is replaced when a model made up %j', async (made, expected) => {
    const sent = await sentTo(name, looping({ name: made }, { name: made }), { tools: [weather] });
    expect(sent).toContain(`"name":${JSON.stringify(expected)}`);
    expect(sent).not.toContain(`"name":${JSON.stringify(made)}`);
  });
});

describe('the name of a result', () => {
  it('is that of its call, which Gemini matches', async () => {
    const sent = await sentTo('google', looping({}, { name: 'other' }), { tools: [weather] });
    expect(sent).toMatch(/"functionResponse":\{[^}]*"name":"weather"/);
  });
});

describe.each(['responses', 'chat'] as const)('the input of a call on the wire %s', (name) => {
  it.each([null, 'Rome', ['Rome'], 7])('is sent in an object when it is %j', async (input) => {
    const sent = await sentTo(name, looping({ input }), { tools: [weather] });
    const args = JSON.stringify(JSON.stringify({ input }));
    expect(sent).toContain(`"arguments":${args}`);
  });
});

describe.each(['anthropic', 'google'] as const)('an image on the wire %s', (name) => {
  it.each(['image/jpg', 'IMAGE/JPEG', 'image/jpeg; q=1', 'application/octet-stream'])(
    'is accepted with the type %s',
    async (mediaType) => {
      const source = { data: '/9j/4AAQ', mediaType };
      const part = (type: 'image' | 'file'): Part => ({ type, source });
      const content = [part('image'), ...(mediaType.startsWith('app') ? [] : [part('file')])];
      const sent = await sentTo(name, [
        { role: 'user', content },
        ...looping({}, { output: [{ type: 'image', source }] }),
      ]);
      expect(sent).not.toContain(mediaType);
      expect(sent.split('"image/jpeg"')).toHaveLength(content.length + 2);
    },
  );
});

describe('texts to embed and prompts of images', () => {
  it('have no half of a surrogate pair', async () => {
    const [, chat] = vendorsOf(simulators);
    if (chat === undefined) throw new Error('no vendor');
    const router = createRouter({
      providers: { v: chat.provider },
      tiers: { embed: ['v/text-embedding-3-small'], image: ['v/gpt-image-1'] },
    });
    await router.embed('embed', ['a\ud83c']);
    await router.image('image', 'b\ud83c');
    await router.close();
    const [first, second] = chat.simulator.log.map(({ body }) => JSON.stringify(body));
    expect(first).toContain('"a\ufffd"');
    expect(second).toContain('"b\ufffd"');
  });
});
