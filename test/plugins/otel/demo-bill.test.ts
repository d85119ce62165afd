import { SpanKind } from '@opentelemetry/api';
import { createRouter, type RouterEvents } from 'signalbox';
import { loadConfig } from 'signalbox/config';
import { expect, it } from 'vitest';
import { writeStory } from '../../../examples/demo/story.ts';
import { simulatorOf, stageVendors } from '../../../examples/demo/vendors.ts';
import { close, providers } from '../../../examples/providers.ts';
import { enableContexts, startTelemetry } from '../../support/telemetry.ts';

/** The attributes of usage on spans, and the same in the events. */
const counts = {
  'gen_ai.usage.input_tokens': 'inputTokens',
  'gen_ai.usage.output_tokens': 'outputTokens',
  'gen_ai.usage.cache_read.input_tokens': 'cachedInputTokens',
} as const;

it("has the bill in the sum over spans, in the demo's bad quarter of a minute", async () => {
  enableContexts();
  const telemetry = startTelemetry();
  const tiers = ['fast', 'cheap-summarize', 'frontier-reasoning'] as const;
  const router = createRouter({
    providers,
    ...(await loadConfig('examples/demo/routing.yaml', { tiers })),
    plugins: [telemetry.plugin],
  });
  const bill: RouterEvents['cost'][] = [];
  router.on('cost', (event) => bill.push(event));
  stageVendors();
  let calls = 0;
  for (const { chapter, requests } of writeStory()) {
    const { trouble } = chapter;
    const simulator = trouble && simulatorOf(trouble.vendor);
    if (simulator !== undefined) trouble?.begin(simulator);
    const queue = requests.values();
    const worker = async () => {
      for (const { tier, prompt, mode } of queue) {
        calls += 1;
        const answer =
          mode === 'complete'
            ? router.complete(tier, prompt)
            : router.stream(tier, prompt).completion;
        await answer.catch(() => undefined);
      }
    };
    await Promise.all([worker(), worker(), worker()]);
    simulator?.clear();
    simulator?.up();
  }
  await router.close();
  await close();
  expect(telemetry.started.size).toBe(0);
  const attempts = telemetry.spans.filter(({ kind }) => kind === SpanKind.CLIENT);
  expect(telemetry.spans.length - attempts.length).toBe(calls);
  expect(attempts.length).toBeGreaterThan(calls);
  const total = (values: readonly unknown[]) =>
    values.reduce<number>((sum, value) => sum + Number(value ?? 0), 0);
  for (const [attribute, count] of Object.entries(counts)) {
    const billed = total(bill.map(({ usage }) => usage[count]));
    expect(total(attempts.map(({ attributes }) => attributes[attribute]))).toBe(billed);
  }
  const usd = total(bill.map((event) => event.usd));
  expect(total(attempts.map((span) => span.attributes['signalbox.cost.usd']))).toBeCloseTo(usd, 9);
  const points = await telemetry.points();
  expect(total((points['signalbox.cost'] ?? []).map(({ value }) => value))).toBeCloseTo(usd, 9);
  expect(usd).toBeGreaterThan(0);
});
