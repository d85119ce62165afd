/**
 * Prints the files of `src` that one call enters, as JSON: run in a process of its own, because coverage is per process.
 * With `compatible` as argument, of a vendor that reports no limits.
 */
import { Session } from 'node:inspector/promises';
import { openaiCompatible } from '../../src/compatible.ts';
import { createRouter } from '../../src/index.ts';
import { openai } from '../../src/openai.ts';
import '../../src/policies.ts';
import { simulateProviders } from '../../src/testing.ts';

const root = new URL('../../src/', import.meta.url).href;
const vendors = await simulateProviders();
const apiKey = 'key';
const { baseURL } = vendors.compatible;
const vendor =
  process.argv[2] === 'compatible'
    ? openaiCompatible({ apiKey, baseURL, profile: {} })
    : openai({ apiKey, baseURL: vendors.openai.baseURL });
const router = createRouter({ providers: { vendor }, tiers: { t: ['vendor/gpt-5.4-mini'] } });
// What is only done once is no part of a call.
await router.complete('t', 'hi');
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
await router.complete('t', 'hi');
const { result } = await session.post('Profiler.takePreciseCoverage');
session.disconnect();
await router.close();
await vendors.close();
const entered = result
  .filter(({ functions }) =>
    functions.some(({ functionName, ranges }) => functionName !== '' && ranges[0]?.count !== 0),
  )
  .map(({ url }) => url)
  .filter((url) => url.startsWith(root))
  .map((url) => url.slice(root.length))
  // The vendor runs in this process too.
  .filter((file) => !file.startsWith('testing/') && !/^wires\/.*\/write/.test(file));
console.log(JSON.stringify(entered.sort()));
