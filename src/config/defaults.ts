import type { Priority } from '../protocol/call-options.ts';
import type {
  BuiltInStrategy,
  CircuitSettings,
  MidStream,
  Vectors,
  WhenAllOpen,
} from '../protocol/config.ts';
import type { OnUnsupported, Transfer } from '../protocol/request.ts';
import { defaultMaxAnswerBytes } from '../transport/answer-bound.ts';

/** Every default of the router, each with its reason. */
export const defaults = {
  /** The order in which a reader would expect a list to be tried. */
  strategy: 'priority' satisfies BuiltInStrategy,
  /** Only with a stream can a silent vendor be told from a thinking one. */
  transfer: 'stream' satisfies Transfer,
  /** Never a silent splice: whoever shows text as it comes must opt in to taking it back. */
  midStream: 'fail' satisfies MidStream,
  /** A circuit is a guess about the future; with nothing else to ask, a guess should not fail a call. */
  whenAllOpen: 'try-least-bad' satisfies WhenAllOpen,
  /** Vectors of two models lie in two spaces: a mixed index finds nothing and says nothing. */
  vectors: 'same-model' satisfies Vectors,
  /** Enough to hide the latency of one batch behind the next, too few to meet a rate limit. */
  embedConcurrency: 4,
  /** What most vendors take in one request. */
  embedBatch: 100,
  /** An option one vendor lacks should not take the vendor out of the chain. */
  onUnsupported: 'warn' satisfies OnUnsupported,
  /** Two users who ask the same may want two answers. */
  singleFlight: false,
  /** A request more for ten calls: what the retry budget earns too. */
  hedgeMaxExtra: 0.1,
  priority: 'normal' satisfies Priority,
  /** Half a minute's wait at the limits of a large account; more would wait in vain. */
  maxQueue: 1_000,
  /** A short answer; replaced by what the target's answers have taken as soon as there is one. */
  outputTokens: 256,
  /** Over all targets: whatever the counts for each target multiply to, a call stays a call. */
  maxAttempts: 6,
  /** Shown its mistake once, a model usually mends it; twice is seldom worth the price. */
  repairAttempts: 1,
  /** Undici's own connect timeout; a TCP and TLS handshake that takes longer will not succeed. */
  connectMs: 10_000,
  /** Long prompts take tens of seconds; longer than this is an outage. */
  firstTokenMs: 60_000,
  /** Models asked for a reasoning effort of medium or more think for minutes before the first part. */
  reasoningFirstTokenMs: 300_000,
  /** Healthy vendors send a token or a ping every few seconds. */
  idleMs: 30_000,
  /** The vendors' own SDKs give up after ten minutes too. */
  totalMs: 600_000,
  /** Full jitter over a quarter of a second spreads retries and is not felt. */
  retryMinMs: 250,
  /** A longer wait is better spent on another target. */
  retryMaxMs: 8_000,
  /** The longest `Retry-After` waited for on one target while another is free. */
  patienceMs: 1_000,
  /** The first limit without `Retry-After`, doubled while it lasts: most vendors count over seconds or a minute. */
  limitedMs: 2_000,
  /** An empty account: minutes, since somebody has to pay, and hours would outlive the payment. */
  exhaustedMs: 600_000,
  /** A refused key: asked again soon enough to see it mended, seldom enough not to look like an attack. */
  credentialMs: 60_000,
  /** A model that does not exist: the same. */
  modelMs: 60_000,
  /** 64 MB: an answer with images fits, and an endless one does not end a small process. */
  maxAnswerBytes: defaultMaxAnswerBytes,
  /** A fire drill's `slow`: well above what a first token usually takes, below the patience of callers. */
  drillDelayMs: 2_000,
  /** A fire drill's `cut` and `truncated`: the reader has seen something, and most is still to come. */
  drillAfterParts: 1,
  circuit: {
    /** Three in a row is no accident at any rate of traffic. */
    consecutiveFailures: 3,
    failureRate: 0.5,
    window: 20,
    /** One failure of one call is not a rate. */
    minimumCalls: 5,
    openMs: 5_000,
    /** So that a target that has recovered serves again within half a minute. */
    maxOpenMs: 30_000,
    successesToClose: 2,
  } satisfies Required<CircuitSettings>,
} as const;
