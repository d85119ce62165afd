/**
 * The simulated vendors, in a thread of their own: what they keep of a request is not in the heap that is searched.
 * What a request's prompt says decides what becomes of it.
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
  const says = (word: string) => (request: SimulatedRequest) =>
    textOf(request).includes(word) || request.model === word;
  simulator.fault({ type: 'silence' }, { when: says('silent') });
  simulator.fault({ type: 'stall', afterEvents: 8 }, { when: says('stalls') });
  simulator.fault({ type: 'status', status: 500 }, { when: says('fails') });
  simulator.fault(
    { type: 'status', status: 400, message: 'mark~all~vendor-words' },
    { when: says('unfit') },
  );
}
parentPort?.postMessage({
  openai: simulators.openai.baseURL,
  anthropic: simulators.anthropic.baseURL,
  google: simulators.google.baseURL,
  compatible: simulators.compatible.baseURL,
});
