import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type {
  SimulatedProvider,
  SimulatedProviders,
} from '../../src/testing/simulate-providers.ts';
import type { TransportSettings } from '../../src/transport/guarded-fetch.ts';

export const vendorNames = ['responses', 'chat', 'anthropic', 'google'] as const;

/** A provider with the real SDK, and its simulated vendor. */
export type Vendor = {
  readonly name: (typeof vendorNames)[number];
  readonly model: string;
  readonly provider: Provider;
  readonly simulator: SimulatedProvider;
};

/** All four wires against one set of simulated vendors. */
export function vendorsOf(
  simulators: SimulatedProviders,
  transport: TransportSettings = {},
): readonly Vendor[] {
  const settings = { apiKey: 'test-key', ...transport };
  return [
    {
      name: 'responses',
      model: 'gpt-5.4-mini',
      provider: openai({ ...settings, baseURL: simulators.openai.baseURL }),
      simulator: simulators.openai,
    },
    {
      name: 'chat',
      model: 'llama-4',
      provider: openaiChat({ ...settings, baseURL: simulators.compatible.baseURL }),
      simulator: simulators.compatible,
    },
    {
      name: 'anthropic',
      model: 'claude-haiku-4-5',
      provider: anthropic({ ...settings, baseURL: simulators.anthropic.baseURL }),
      simulator: simulators.anthropic,
    },
    {
      name: 'google',
      model: 'gemini-3-flash-preview',
      provider: google({ ...settings, baseURL: simulators.google.baseURL }),
      simulator: simulators.google,
    },
  ];
}
