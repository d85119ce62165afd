import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/protocol/json.ts';
import type { Message, Part } from '../../src/protocol/message.ts';
import type { Tool } from '../../src/protocol/request.ts';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { type Vendor, vendorsOf } from '../support/vendors.ts';

let simulators: SimulatedProviders;
let vendors: readonly Vendor[];

beforeAll(async () => {
  simulators = await simulateProviders();
  vendors = vendorsOf(simulators);
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

const names = ['responses', 'chat', 'anthropic', 'google'] as const;
type Name = (typeof names)[number];

const inputSchema = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const tools = [
  { name: 'weather', description: 'The weather in a city', inputSchema },
  { name: 'time', description: 'The time in a city', inputSchema },
] as const satisfies readonly Tool[];

const signatureOf = (name: Name): string => Buffer.from(`signed by ${name}`).toString('base64');

const listOf = (value: unknown): readonly JsonObject[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : [];

/** The ids of calls and results on a wire, in the order of the body; their names on Gemini, where ids are optional. */
const callsAndResults: Record<
  Name,
  (body: JsonObject) => { calls: unknown[]; results: unknown[] }
> = {
  responses: (body) => {
    const input = listOf(body.input);
    const idsOf = (type: string) =>
      input.filter((item) => item.type === type).map((item) => item.call_id);
    return { calls: idsOf('function_call'), results: idsOf('function_call_output') };
  },
  chat: (body) => {
    const messages = listOf(body.messages);
    const results = messages.filter((message) => message.role === 'tool');
    return {
      calls: messages.flatMap((message) => listOf(message.tool_calls).map((call) => call.id)),
      results: results.map((message) => message.tool_call_id),
    };
  },
  anthropic: (body) => {
    const messages = listOf(body.messages);
    const at = messages.findIndex((message) =>
      listOf(message.content).some((block) => block.type === 'tool_use'),
    );
    // All results must be at the beginning of the next message.
    const next = listOf(messages[at + 1]?.content);
    const leading = next.slice(0, 2).filter((block) => block.type === 'tool_result');
    return {
      calls: listOf(messages[at]?.content)
        .filter((block) => block.type === 'tool_use')
        .map((block) => block.id),
      results: leading.map((block) => block.tool_use_id),
    };
  },
  google: (body) => {
    const contents = listOf(body.contents);
    const partsWith = (key: string) =>
      contents.map((content) => listOf(content.parts).flatMap((part) => listOf([part[key]])));
    const at = partsWith('functionCall').findIndex((calls) => calls.length > 0);
    const calls = partsWith('functionCall')[at] ?? [];
    const results = partsWith('functionResponse')[at + 1] ?? [];
    return { calls: calls.map((call) => call.name), results: results.map(({ name }) => name) };
  },
};

const idPattern: Record<Name, RegExp> = {
  responses: /^.{1,64}$/,
  chat: /^.{1,40}$/,
  anthropic: /^[a-zA-Z0-9_-]{1,64}$/,
  google: /^(weather|time)$/,
};

function vendor(name: Name): Vendor {
  const found = vendors.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no vendor ${name}`);
  return found;
}

const reasoning = { effort: 'medium', include: true } as const;
const system = 'Be brief.';
const question: Message = { role: 'user', content: 'Weather and time in Bern?' };

function routerOf() {
  const providers = Object.fromEntries(vendors.map(({ name, provider }) => [name, provider]));
  const tiers = Object.fromEntries(
    vendors.map(({ name, model }) => [name, [`${name}/${model}` as const]]),
  );
  return createRouter({ providers, tiers });
}

/** The first turn on one vendor, which reasons and calls both tools. */
async function begin(name: Name, transfer: 'stream' | 'unary'): Promise<readonly Part[]> {
  const { simulator } = vendor(name);
  simulator.answer({
    reasoning: `thoughts of ${name}`,
    reasoningSignature: signatureOf(name),
    text: 'Let me look.',
    toolCalls: [
      { name: 'weather', input: { city: 'Bern' } },
      { name: 'time', input: { city: 'Bern' } },
    ],
  });
  const answer = await routerOf().complete(name, [question], {
    system,
    tools,
    reasoning,
    transfer,
  });
  expect(answer.toolCalls.map((call) => call.name)).toEqual(['weather', 'time']);
  expect(answer.finishReason).toBe('tool_calls');
  return answer.content;
}

function continued(content: readonly Part[]): readonly Message[] {
  const calls = content.filter((part) => part.type === 'tool-call');
  const results = calls.map(
    ({ id, name }): Part => ({ type: 'tool-result', id, name, output: { [name]: 'fine' } }),
  );
  return [question, { role: 'assistant', content }, { role: 'tool', content: results }];
}

const pairs = names.flatMap((from) => names.map((to) => [from, to] as const));

describe.each(['stream', 'unary'] as const)(
  'a conversation with tools and reasoning (%s)',
  (transfer) => {
    it.each(pairs)('that started on %s continues on %s', async (from, to) => {
      const content = await begin(from, transfer);
      const { simulator } = vendor(to);
      simulator.reset();
      simulator.answer('Fine, and noon.');
      const messages = continued(content);
      const answer = await routerOf().complete(to, messages, {
        system,
        tools,
        reasoning,
        transfer,
      });
      expect(answer.text).toBe('Fine, and noon.');

      const body = simulator.log[0]?.body ?? {};
      const { calls, results } = callsAndResults[to](body);
      expect(calls).toHaveLength(2);
      expect(results).toEqual(calls);
      expect(new Set(calls).size).toBe(2);
      for (const id of calls) expect(id).toMatch(idPattern[to]);

      const raw = JSON.stringify(body);
      expect(raw).toContain('Let me look.');
      expect(raw).toContain('fine');
      for (const name of names) {
        const isOwn = name === from && name === to;
        // Chat Completions has no signatures.
        if (isOwn && name !== 'chat') expect(raw).toContain(signatureOf(name));
        if (!isOwn) expect(raw).not.toContain(signatureOf(name));
      }
      if (from !== to) expect(raw).not.toContain(`thoughts of ${from}`);
    });
  },
);

describe('a conversation that fails over between tool call and answer', () => {
  it.each(pairs.filter(([from, to]) => from !== to))(
    'continues from %s on %s in one call',
    async (from, to) => {
      const content = await begin(from, 'stream');
      vendor(from).simulator.down();
      vendor(to).simulator.answer('Fine, and noon.');
      const router = createRouter({
        providers: { from: vendor(from).provider, to: vendor(to).provider },
        tiers: { t: [`from/${vendor(from).model}`, `to/${vendor(to).model}`] },
        defaults: { retry: { attempts: 0 } },
      });
      const options = { system, tools, reasoning };
      const answer = await router.complete('t', continued(content), options);
      expect(answer).toMatchObject({ provider: 'to', text: 'Fine, and noon.' });
    },
  );
});
