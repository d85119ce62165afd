import { inspect } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { redactPii } from '../../src/policies.ts';
import type { Message } from '../../src/protocol/message.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { simulateProviders } from '../../src/testing/simulate-providers.ts';
import { vendorsOf } from '../support/vendors.ts';

const simulators = await simulateProviders();
afterAll(() => simulators.close());
beforeEach(() => simulators.reset());

const canaries = [
  'canary@secret.example',
  '4111 1111 1111 1111',
  'GB82WEST12345698765432',
  'AKIACANARYCANARY7777',
  'hunter2canary',
  '219-09-9999',
];
const all = canaries.map((value, index) =>
  index === 4 ? `https://me:${value}@db.example` : value,
);
const tools = [
  {
    name: 'send',
    description: `Sends to ${canaries[0]}.`,
    inputSchema: {
      type: 'object',
      properties: { to: { type: 'string', examples: [canaries[0]] } },
    },
  },
];
const conversation: readonly Message[] = [
  { role: 'user', content: `Know this: ${all.join(', ')}` },
  {
    role: 'assistant',
    content: [{ type: 'tool-call', id: 'c1', name: 'send', input: { to: canaries[0] ?? '' } }],
  },
  { role: 'tool', content: [{ type: 'tool-result', id: 'c1', name: 'send', output: { all } }] },
];

/** Everything that was sent to any vendor. */
function bodies(): string {
  const { openai, anthropic, google, compatible } = simulators;
  const logs = [openai, anthropic, google, compatible].flatMap(({ log }) => log);
  return JSON.stringify(logs.map(({ body, headers, path }) => ({ body, headers, path })));
}

function leaks(text: string): readonly string[] {
  return canaries.filter((canary) => text.includes(canary));
}

describe.each(vendorsOf(simulators))('a redacted value on the wire $name', (vendor) => {
  const spare = vendorsOf(simulators).find(({ simulator }) => simulator !== vendor.simulator);
  if (spare === undefined) throw new Error('there must be another vendor');
  const answer = 'To <EMAIL_1>, <email_1> and &lt;CARD_1&gt;: <CREDENTIALS_1>';
  const restored = `To ${canaries[0]}, ${canaries[0]} and ${canaries[1]}: me:${canaries[4]}`;

  function setUp() {
    const router = createRouter({
      providers: { it: vendor.provider, spare: spare?.provider ?? vendor.provider },
      tiers: {
        t: {
          targets: [`it/${vendor.model}`, `spare/${spare?.model}`],
          midStream: 'restart',
          retry: { attempts: 1, minMs: 1, maxMs: 1 },
        },
      },
      plugins: [redactPii({ regions: ['US'] })],
    });
    return { router, events: recordEvents(router) };
  }
  // Vendors quote what they were sent.
  const quoting = { type: 'status', status: 500, message: 'cannot read <EMAIL_1>' } as const;

  it('is in no request or event, and restored after a retry and a failover', async () => {
    const { router, events } = setUp();
    vendor.simulator.fault(quoting, { times: 1 });
    vendor.simulator.answer(answer);
    expect((await router.complete('t', conversation, { tools })).text).toBe(restored);
    vendor.simulator.down();
    spare.simulator.answer(answer);
    expect((await router.complete('t', conversation, { tools })).text).toBe(restored);
    expect(leaks(bodies())).toEqual([]);
    expect(bodies()).toContain('<EMAIL_1>');
    expect(leaks(inspect(events.events, { depth: 20 }))).toEqual([]);
    await router.close();
  });

  it('is restored in a stream that is cut and restarts, in tool calls and objects', async () => {
    const { router, events } = setUp();
    vendor.simulator.fault({ type: 'cut', afterEvents: 4 }, { times: 1 });
    for (const { simulator } of [vendor, spare]) simulator.answer({ chunks: [...answer] });
    let text = '';
    for await (const part of router.stream('t', conversation) as AsyncIterable<StreamPart>) {
      if (part.type === 'restart') text = '';
      if (part.type === 'text-delta') text += part.delta;
    }
    expect(text).toBe(restored);
    vendor.simulator.answer({ toolCalls: [{ name: 'send', input: { to: '<EMAIL_1>' } }] });
    const { toolCalls } = await router.complete('t', conversation, { tools });
    expect(toolCalls).toMatchObject([{ input: { to: canaries[0] } }]);
    vendor.simulator.answer(JSON.stringify({ to: '<EMAIL_1>' }));
    const schema = z.object({ to: z.string().describe(`not ${canaries[2]}`) });
    const { object } = await router.complete('t', conversation, { schema });
    expect(object).toEqual({ to: canaries[0] });
    expect(leaks(bodies())).toEqual([]);
    expect(leaks(inspect(events.events, { depth: 20 }))).toEqual([]);
    await router.close();
  });

  it('is in no error, trail or event of a call that fails', async () => {
    const { router, events } = setUp();
    for (const { simulator } of [vendor, spare]) simulator.fault(quoting);
    const error = await router
      .complete('t', conversation, { tools })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'all_targets_failed' });
    expect(leaks(inspect(error, { depth: 20 }))).toEqual([]);
    expect(leaks(JSON.stringify(error))).toEqual([]);
    expect(leaks(inspect(events.events, { depth: 20 }))).toEqual([]);
    expect(leaks(bodies())).toEqual([]);
    await router.close();
  });
});
