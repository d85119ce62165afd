import type { CircuitPolicy } from '../health/circuit.ts';
import type { Priority } from '../protocol/call-options.ts';
import type { BuiltInStrategy, MidStream, Vectors, WhenAllOpen } from '../protocol/config.ts';
import type { OnUnsupported, Transfer } from '../protocol/request.ts';
import { defaultMaxAnswerBytes } from '../transport/answer-bound.ts';

/** The defaults of the router, with the reason for each. */
export const defaults = {
  /** Readers expect a list to be tried in order. */
  strategy: 'priority' satisfies BuiltInStrategy,
  /** Only a stream shows whether a vendor is silent or slow. */
  transfer: 'stream' satisfies Transfer,
  /** Retracting text that was already shown requires an opt-in. */
  midStream: 'fail' satisfies MidStream,
  /** An open circuit is a prediction. Without alternatives, a prediction should not fail a call. */
  whenAllOpen: 'try-least-bad' satisfies WhenAllOpen,
  /** Vectors of two models in one index return wrong results without an error. */
  vectors: 'same-model' satisfies Vectors,
  /** Enough to hide the latency of a batch, too few to hit a rate limit. */
  embedConcurrency: 4,
  /** Most vendors accept this many values per request. */
  embedBatch: 100,
  /** An option that one vendor does not support should not exclude that vendor. */
  onUnsupported: 'warn' satisfies OnUnsupported,
  /** Two users with the same prompt may expect different answers. */
  singleFlight: false,
  /** One extra request per ten calls, the rate at which the retry budget refills. */
  hedgeMaxExtra: 0.1,
  priority: 'normal' satisfies Priority,
  /** About 30 s of waiting at the limits of a large account. A longer queue would wait in vain. */
  maxQueue: 1_000,
  /** A short answer. Replaced by the target's actual usage after its first answer. */
  outputTokens: 256,
  /** Reserved under a budget for a model whose limit is unknown, unless the call has one. Most models have 8,192 or more. */
  mostOutputTokens: 32_768,
  /** Reserved under a budget for each image: the largest one of the highest quality at OpenAI has about as many tokens. */
  mostImageTokens: 6_240,
  /** Over all targets. Bounds a call, whatever the counts per target add up to. */
  maxAttempts: 6,
  /** A model usually fixes its mistake after one hint. A second hint is rarely worth its cost. */
  repairAttempts: 1,
  /** Undici's connect timeout. A slower TCP and TLS handshake rarely succeeds. */
  connectMs: 10_000,
  /** Long prompts take tens of seconds. A longer silence is an outage. */
  firstTokenMs: 60_000,
  /** With a reasoning effort of medium or more, models reason for minutes before the first part. */
  reasoningFirstTokenMs: 300_000,
  /** Healthy vendors send a token or a ping every few seconds. */
  idleMs: 30_000,
  /** The vendors' SDKs time out after ten minutes too. */
  totalMs: 600_000,
  /** Full jitter over 250 ms spreads retries without a noticeable delay. */
  retryMinMs: 250,
  /** Instead of a longer wait, try another target. */
  retryMaxMs: 8_000,
  /** The longest `Retry-After` to wait for while another target is available. */
  patienceMs: 1_000,
  /** The first limit without `Retry-After`, doubled while it persists. Most vendors count over seconds or a minute. */
  limitedMs: 2_000,
  /** An empty account: minutes, because it needs a payment; hours would outlast the payment. */
  exhaustedMs: 600_000,
  /** A rejected key: short enough to notice a fix, long enough not to look like an attack. */
  credentialMs: 60_000,
  /**
   * Keys by tags that are remembered per target, with their limits and health: up to 15 kB each. The least recently used
   * ones are forgotten first; what is forgotten is that a key was limited or rejected, so it is sent once more.
   */
  keysPerTarget: 1_000,
  /** A model that does not exist: the same. */
  modelMs: 60_000,
  /** 64 MB: large enough for answers with images, small enough to protect a small process. */
  maxAnswerBytes: defaultMaxAnswerBytes,
  /** Calls that `feedback` can name: minutes of heavy traffic, in about 3 MB. */
  feedbackCalls: 10_000,
  /** A day: people judge an answer when they use it. Tags, which may name a person, are not kept for longer. */
  feedbackMs: 86_400_000,
  /** Last with the strategy `weighted` too, as with the others. */
  demotedWeight: 0,
  /** `delayMs` of a fire drill's `slow`: more than a usual first token, less than callers' patience. */
  drillDelayMs: 2_000,
  /** `afterParts` of `cut` and `truncated`: the reader has received something, and most is missing. */
  drillAfterParts: 1,
  circuit: {
    /** Three consecutive failures are no coincidence at any rate of traffic. */
    consecutiveFailures: 3,
    failureRate: 0.5,
    window: 20,
    /** One failed call is not a failure rate. */
    minimumCalls: 5,
    openMs: 5_000,
    /** A recovered target is used again within 30 s. */
    maxOpenMs: 30_000,
    successesToClose: 2,
  } satisfies CircuitPolicy,
} as const;
