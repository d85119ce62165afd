import { afterAll, test } from 'vitest';
import { anthropic } from '../../src/adapters/anthropic/index.ts';
import { google } from '../../src/adapters/google/index.ts';
import { openaiChat } from '../../src/adapters/openai-chat/index.ts';
import { openai } from '../../src/adapters/openai-responses/index.ts';
import {
  type AdapterContractOptions,
  adapterContract,
} from '../../src/testing/adapter-contract.ts';
import { simulateProviders } from '../../src/testing/simulate-providers.ts';

const apiKey = 'contract-key-77aa';
const simulators = await simulateProviders();
afterAll(() => simulators.close());

const { baseURL: openaiURL } = simulators.openai;

const adapters: readonly AdapterContractOptions[] = [
  {
    name: 'openai',
    provider: () => openai({ apiKey, baseURL: openaiURL }),
    model: 'gpt-5.4',
    simulator: simulators.openai,
    wire: 'openai-responses',
  },
  {
    name: 'openaiChat',
    provider: () => openaiChat({ apiKey, baseURL: openaiURL }),
    model: 'gpt-5.4',
    simulator: simulators.openai,
    wire: 'openai-chat',
  },
  {
    name: 'openaiChat at a compatible vendor',
    provider: () => openaiChat({ apiKey, baseURL: simulators.compatible.baseURL }),
    model: 'some-model',
    simulator: simulators.compatible,
    wire: 'openai-chat',
    reasoning: 'shown',
  },
  {
    name: 'anthropic',
    provider: () => anthropic({ apiKey, baseURL: simulators.anthropic.baseURL }),
    model: 'claude-haiku-4-5',
    simulator: simulators.anthropic,
    wire: 'anthropic',
  },
  {
    name: 'google',
    provider: () => google({ apiKey, baseURL: simulators.google.baseURL }),
    model: 'gemini-3-flash',
    simulator: simulators.google,
    wire: 'gemini',
  },
];

for (const { name, run } of adapters.flatMap(adapterContract)) test(name, run);
