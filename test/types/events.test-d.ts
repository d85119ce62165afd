import {
  createRouter,
  type ErrorSummary,
  type EventName,
  type EventOf,
  type RouterEvent,
  type Usage,
} from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { type Equal, expectType } from './expect-type.ts';

const router = createRouter({
  providers: { openai: fakeProvider() },
  tiers: { fast: ['openai/gpt-5.4-mini'] },
});

// A listener gets the type of its event.
router.on('cost', (event) => {
  expectType<Equal<typeof event, EventOf<'cost', 'fast'>>>(true);
  expectType<Equal<typeof event.usd, number | null>>(true);
  expectType<Equal<typeof event.usage, Usage>>(true);
  expectType<Equal<typeof event.tier, 'fast'>>(true);
  // @ts-expect-error
  void event.verdict;
});
router.once('failover', ({ from, to, error }) => {
  expectType<Equal<typeof from, string>>(true);
  expectType<Equal<typeof to, string>>(true);
  expectType<Equal<typeof error, ErrorSummary>>(true);
});
router.on('config-change', ({ callId, tiers }) => {
  expectType<Equal<typeof callId, null>>(true);
  expectType<Equal<typeof tiers, readonly string[]>>(true);
});

// `'*'` receives all events, discriminated by `type`.
const log = (event: RouterEvent): void => {
  expectType<Equal<typeof event.type, EventName>>(true);
  if (event.type === 'call-end') {
    expectType<Equal<typeof event.status, 'ok' | 'error' | 'aborted'>>(true);
  }
  if (event.type === 'retry') expectType<Equal<typeof event.delayMs, number>>(true);
};
router.on('*', log);
router.off('*', log);

// The list of event names is complete.
expectType<
  Equal<
    EventName,
    | 'call-start'
    | 'route-plan'
    | 'attempt-start'
    | 'attempt-end'
    | 'retry'
    | 'failover'
    | 'hedge'
    | 'first-token'
    | 'cost'
    | 'call-end'
    | 'policy-verdict'
    | 'audit-head'
    | 'feedback'
    | 'tool-start'
    | 'tool-end'
    | 'tool-denied'
    | 'circuit-open'
    | 'circuit-half-open'
    | 'circuit-close'
    | 'rate-limited'
    | 'credential-rejected'
    | 'shape-changed'
    | 'drill-start'
    | 'drill-end'
    | 'target-isolate'
    | 'target-restore'
    | 'target-demote'
    | 'target-demote-end'
    | 'config-change'
    | 'config-rejected'
    | 'budget-warning'
    | 'budget-exceeded'
    | 'eval-end'
    | 'store-error'
    | 'listener-error'
  >
>(true);

// @ts-expect-error
router.on('attempt', () => undefined);
// @ts-expect-error
router.on('cost', (event: { readonly amount: number }) => event.amount);

// A listener may be asynchronous.
router.on('call-end', async () => {});

// `recordEvents` accepts a router.
const recorder = recordEvents(router);
expectType<Equal<(typeof recorder)['events'], readonly RouterEvent[]>>(true);
const [first] = recorder.of('retry');
expectType<Equal<NonNullable<typeof first>['delayMs'], number>>(true);
