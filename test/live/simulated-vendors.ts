import type { Profile } from '../../src/adapters/compatible/profile.ts';
import { profiles } from '../../src/adapters/compatible/profiles.ts';
import {
  type SimulatedAnswer,
  type SimulatedProviders,
  type SimulatedRequest,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { prompts, wrongKey } from './cases.ts';
import type { Connection, LiveVendor } from './vendors.ts';

const story = 'The lamp turned, as it had for a hundred years. '.repeat(10);
const numbers = Array.from({ length: 60 }, (_, index) => index + 1).join(', ');

type ModelAnswer = SimulatedAnswer | ((body: string) => SimulatedAnswer);

/** What a capable model answers to each prompt. */
const answers: Readonly<Record<keyof typeof prompts, ModelAnswer>> = {
  word: { text: 'ping' },
  numbers: { text: numbers },
  usage: { text: 'pong' },
  weather: (body) =>
    /temperature\W+17/.test(body)
      ? { text: 'It is 17 degrees in Zürich.' }
      : { toolCalls: [{ name: 'read_temperature', input: { city: 'Zürich' } }] },
  person: { text: '{"name":"Ada Lovelace","age":36}' },
  image: { text: 'Red' },
  puzzle: { reasoning: 'By 3: 66. By 5: 40. By both: 13. So 66 + 40 - 26.', text: '80' },
  // Slow enough that an abort comes before the end.
  story: { text: story, chunkDelayMs: 20 },
};

const keyPrefix = 'simulated-key-of-';

/** Some vendors report the usage of a stream although the adapter does not ask for it. */
function streamUsageOf(key: string | undefined): 'on-request' | 'always' {
  const byName: Readonly<Record<string, Profile>> = profiles;
  const profile = byName[key?.slice(keyPrefix.length) ?? ''];
  return profile?.streamUsage === 'always' ? 'always' : 'on-request';
}

function answerTo({ body, key }: SimulatedRequest): SimulatedAnswer | undefined {
  const text = JSON.stringify(body);
  const names = Object.keys(prompts) as (keyof typeof prompts)[];
  const name = names.find((each) => text.includes(prompts[each]));
  if (name === undefined) return undefined;
  const answer = answers[name];
  const streamUsage = streamUsageOf(key);
  return { ...(typeof answer === 'function' ? answer(text) : answer), streamUsage };
}

/** Starts simulated vendors whose models answer like capable ones. */
export async function startSimulatedVendors(
  models: readonly string[],
): Promise<SimulatedProviders> {
  const options = { models, badKeys: [wrongKey] };
  const simulators = await simulateProviders({
    openai: options,
    anthropic: options,
    google: options,
    compatible: options,
  });
  for (const name of ['openai', 'anthropic', 'google', 'compatible'] as const) {
    simulators[name].answer(answerTo);
  }
  return simulators;
}

/** The connection to the simulated vendor that stands for a real one. */
export function simulatedConnection(
  { name, simulator }: LiveVendor,
  simulators: SimulatedProviders,
): Connection {
  return { apiKey: `${keyPrefix}${name}`, baseURL: simulators[simulator].baseURL };
}
