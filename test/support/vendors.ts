import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type {
  SimulatedProvider,
  SimulatedProviders,
} from '../../src/testing/simulate-providers.ts';

/** A wire with the real SDK on our end and a simulated vendor on the other. */
export type Vendor = {
  readonly name: 'responses' | 'chat' | 'anthropic' | 'google';
  readonly model: string;
  readonly provider: Provider;
  readonly simulator: SimulatedProvider;
};

/** All four wires against one set of simulated vendors. */
export function vendorsOf(simulators: SimulatedProviders): readonly Vendor[] {
  const apiKey = 'test-key';
  return [
    {
      name: 'responses',
      model: 'gpt-5.4-mini',
      provider: openai({ apiKey, baseURL: simulators.openai.baseURL }),
      simulator: simulators.openai,
    },
    {
      name: 'chat',
      model: 'llama-4',
      provider: openaiChat({ apiKey, baseURL: simulators.compatible.baseURL }),
      simulator: simulators.compatible,
    },
    {
      name: 'anthropic',
      model: 'claude-haiku-4-5',
      provider: anthropic({ apiKey, baseURL: simulators.anthropic.baseURL }),
      simulator: simulators.anthropic,
    },
    {
      name: 'google',
      model: 'gemini-3-flash-preview',
      provider: google({ apiKey, baseURL: simulators.google.baseURL }),
      simulator: simulators.google,
    },
  ];
}
