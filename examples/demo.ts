import { type Completion, createRouter, isSignalboxError } from 'signalbox';
import { fileSource, loadConfig } from 'signalbox/config';
import { memoryStore } from 'signalbox/store';
import { routingFile } from './demo/routing-file.ts';
import {
  paint,
  print,
  printAnswer,
  printLoss,
  printNotice,
  printRule,
  seconds,
} from './demo/screen.ts';
import { type DemoRequest, type DemoTier, writeStory } from './demo/story.ts';
import { billsAgree, printSummary } from './demo/summary.ts';
import { createTally } from './demo/tally.ts';
import { realVendors, simulatorOf, stageVendors } from './demo/vendors.ts';
import { close, providers } from './providers.ts';

const allSimulated = realVendors.length === 0;

const tiers = ['fast', 'cheap-summarize', 'frontier-reasoning'] as const;
const router = createRouter({
  providers,
  // A service would keep what is spent in fileStore().
  store: memoryStore(),
  ...(await loadConfig(routingFile.path, { tiers })),
});
await router.follow(fileSource(routingFile.path));

const tally = createTally();
router.on('*', tally.add);
router.on('circuit-open', ({ target, until, at, cause }) => {
  const more = `skipped for ${seconds(until - at)} (${cause})`;
  printNotice(['bold', 'red'], '●', 'circuit opens', target, more);
});
router.on('circuit-half-open', ({ target }) => {
  printNotice(['bold', 'yellow'], '◐', 'circuit half-open', target, 'sending one probe');
});
router.on('circuit-close', ({ target }) => {
  printNotice(['bold', 'green'], '○', 'circuit closes', target, 'back in service');
});
router.on('rate-limited', ({ target, until, at }) => {
  const more = `skipped for ${seconds(until - at)}`;
  printNotice(['bold', 'yellow'], '◌', 'rate limited', target, more);
});
router.once('budget-exceeded', ({ budget }) => {
  printNotice(['bold', 'magenta'], '$', 'budget used up', budget, 'cheaper targets answer');
});
router.on('config-change', ({ source, version, changes }) => {
  const paths = [...new Set(changes.map(({ path }) => path.replace(/\[.*/, '')))];
  const more = `version ${version}, changed: ${paths.join(', ')}`;
  printNotice(['bold', 'cyan'], '↺', 'new configuration', source, more);
});

async function send({ tier, prompt, mode, feature }: DemoRequest): Promise<Completion> {
  const options = { tags: { feature } };
  if (mode === 'complete') return router.complete(tier, prompt, options);
  const stream = router.stream(tier, prompt, options);
  let shown = '';
  for await (const part of stream) {
    if (part.type === 'text-delta') shown += part.delta;
    if (part.type === 'restart') shown = '';
  }
  const completion = await stream.completion;
  if (shown !== completion.text) throw new Error('the stream and its completion differ');
  return completion;
}

/** The tier's order of targets while all are healthy. */
const orderOf = async (tier: DemoTier): Promise<readonly string[]> =>
  (await router.explain(tier, 'Hello')).candidates.map(({ target }) => target);

await router.preload();
const readOrders = async (): Promise<Readonly<Record<DemoTier, readonly string[]>>> => ({
  fast: await orderOf('fast'),
  'cheap-summarize': await orderOf('cheap-summarize'),
  'frontier-reasoning': await orderOf('frontier-reasoning'),
});
let orders = await readOrders();

/** Changes the file, and waits until the router follows it. */
async function preferInFast(target: string): Promise<void> {
  const changed = new Promise((resolve) => router.once('config-change', resolve));
  await routingFile.preferInFast(target);
  await changed;
  orders = await readOrders();
}

let lost = 0;
let rerouted = 0;
let answersUsd = 0;

async function run(request: DemoRequest): Promise<void> {
  const order = orders[request.tier];
  try {
    const completion = await send(request);
    printAnswer(request, completion, order);
    answersUsd += completion.cost.attemptsUsd;
    if (completion.target !== order[0]) rerouted += 1;
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    lost += 1;
    printLoss(request, error);
  }
}

/** Runs three requests at a time. */
async function runAll(requests: readonly DemoRequest[]): Promise<void> {
  const queue = requests.values();
  const worker = async () => {
    for (const request of queue) await run(request);
  };
  await Promise.all([worker(), worker(), worker()]);
}

stageVendors();
print(paint('bold', 'signalbox: 100 requests, three tiers, three vendors, and several outages'));
print(
  allSimulated
    ? paint(
        'dim',
        'The vendors are simulated on 127.0.0.1; the SDKs, the HTTP and the router are real.',
      )
    : `Real vendors (key set): ${realVendors.join(', ')}. No faults are injected there.`,
);
print(paint('dim', '· complete  ≈ stream  ↻ retried  ↷ failover to the next target  ⊘ skipped'));

const startedAt = performance.now();
for (const { chapter, requests } of writeStory()) {
  const { trouble, preferredInFast } = chapter;
  const simulator = trouble && simulatorOf(trouble.vendor);
  const isSkipped = trouble !== undefined && simulator === undefined;
  printRule(
    isSkipped ? `(not injected: ${chapter.title}; ${trouble.vendor} is real)` : chapter.title,
  );
  if (simulator !== undefined) trouble?.begin(simulator);
  if (preferredInFast !== undefined) await preferInFast(preferredInFast);
  await runAll(requests);
  simulator?.clear();
  simulator?.up();
}

const result = {
  durationMs: performance.now() - startedAt,
  features: tally.byFeature(),
  total: tally.total(),
  lost,
  rerouted,
  answersUsd,
  snapshot: router.snapshot(),
};
printSummary(result);
await router.close();
await close();
await routingFile.remove();
if (lost > 0 || !billsAgree(result)) process.exitCode = 1;
