/**
 * The simulated vendors in a separate thread, so that what they keep of a request is not in the searched heap. A word in
 * the prompt selects the fault.
 */
import { parentPort } from 'node:worker_threads';
import {
  type SimulatedRequest,
  simulateProviders,
} from '../../../src/testing/simulate-providers.ts';

const simulators = await simulateProviders();
const largeLength = 4_000_000;
const textOf = ({ body }: SimulatedRequest): string => JSON.stringify(body);

for (const simulator of [
  simulators.openai,
  simulators.anthropic,
  simulators.google,
  simulators.compatible,
]) {
  simulator.answer((request) => {
    const name = /mark~([\w-]+)~prompt/.exec(textOf(request))?.[1];
    if (textOf(request).includes('large')) return { chunks: ['y'.repeat(largeLength)] };
    const chunks = [`mark~${name}~answer`, ...Array.from({ length: 20 }, () => ' more')];
    return /schema"/i.test(textOf(request)) ? undefined : { chunks };
  });
  const contains = (word: string) => (request: SimulatedRequest) =>
    textOf(request).includes(word) || request.model === word;
  simulator.fault({ type: 'silence' }, { when: contains('silent') });
  simulator.fault({ type: 'stall', afterEvents: 8 }, { when: contains('stalls') });
  simulator.fault({ type: 'status', status: 500 }, { when: contains('fails') });
  simulator.fault(
    { type: 'status', status: 400, message: 'mark~all~vendor-words' },
    { when: contains('unfit') },
  );
}
parentPort?.postMessage({
  openai: simulators.openai.baseURL,
  anthropic: simulators.anthropic.baseURL,
  google: simulators.google.baseURL,
  compatible: simulators.compatible.baseURL,
});
