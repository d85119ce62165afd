import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { vendorsOf } from '../support/vendors.ts';

let simulators: SimulatedProviders;
beforeAll(async () => {
  simulators = await simulateProviders();
});
afterEach(() => simulators.reset());
afterAll(() => simulators.close());

const wires = ['responses', 'chat', 'anthropic', 'google'] as const;

it.each(wires)(
  'a drill that cuts %s closes its socket, and the next vendor answers',
  async (name) => {
    const vendors = vendorsOf(simulators);
    const cut = vendors.find((vendor) => vendor.name === name);
    const next = vendors.find((vendor) => vendor.simulator !== cut?.simulator);
    if (cut === undefined || next === undefined) throw new Error('there are four vendors');
    cut.simulator.answer({ text: 'one two three', chunks: ['one', ' two', ' three'] });
    // The drill cuts the stream right after the first words, without waiting for more.
    cut.simulator.fault({ type: 'slow-first-token', ms: 5 });
    next.simulator.answer({ text: 'all of it' });
    const providers: Record<'cut' | 'next', Provider> = { cut: cut.provider, next: next.provider };
    const router = createRouter({
      providers,
      tiers: {
        t: { targets: [`cut/${cut.model}`, `next/${next.model}`], midStream: 'restart' },
      },
    });

    const drill = router.drill({ tier: 't', fault: 'cut', share: 1, forMs: 60_000 });
    const parts: string[] = [];
    for await (const part of router.stream('t', 'hi')) {
      parts.push(part.type === 'text-delta' ? part.delta : part.type);
    }
    expect(parts.slice(0, 3)).toEqual(['start', 'one', 'restart']);
    expect(parts.filter((each) => !each.includes('-')).join('')).toContain('all of it');
    expect(await drill.stop()).toMatchObject({
      passed: true,
      hops: [{ from: `cut/${cut.model}`, to: `next/${next.model}`, ran: 1 }],
    });
    expect(cut.simulator.log).toHaveLength(1);
    await expect.poll(() => cut.simulator.openRequests).toBe(0);
    await router.close();
  },
);
