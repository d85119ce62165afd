import { afterAll, describe, expect, it } from 'vitest';
import type { Message } from '../../src/protocol/message.ts';
import { createRouter } from '../../src/router.ts';
import { simulateProviders } from '../../src/testing/simulate-providers.ts';
import { vendorsOf } from '../support/vendors.ts';

const simulators = await simulateProviders();
afterAll(() => simulators.close());

const conversation: readonly Message[] = [
  { role: 'user', content: 'Who made Ruby?' },
  {
    role: 'assistant',
    content: [
      {
        type: 'text',
        text: 'Matz did.',
        citations: [{ url: 'https://ruby-lang.org', start: 0, end: 4, raw: { secret: 'index' } }],
      },
    ],
  },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'And when? See the file.' },
      {
        type: 'file',
        source: { data: 'JVBERi0=', mediaType: 'application/pdf' },
        filename: 'ruby.pdf',
        citations: true,
      },
    ],
  },
];

describe.each(vendorsOf(simulators))('citations on the wire $name', (vendor) => {
  it('are not sent back, and are requested only on wires with such an option', async () => {
    const router = createRouter({
      providers: { it: vendor.provider },
      tiers: { t: [`it/${vendor.model}`] },
    });
    await router.complete('t', conversation);
    const body = JSON.stringify(vendor.simulator.log.at(-1)?.body ?? {});
    expect(body).toContain('Matz did.');
    expect(body).not.toContain('ruby-lang');
    expect(body.includes('"citations":{"enabled":true}')).toBe(vendor.name === 'anthropic');
  });
});
