import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import type { Load } from '../../limits/gate.ts';
import type { CallDefaults } from '../../protocol/call-options.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Provider } from '../../protocol/provider.ts';
import {
  type Call,
  type Engine,
  type LimitedAttempt,
  outputLimitOf,
  pricedTarget,
  providerOf,
} from './engine.ts';
import { OwnKey } from './own-key.ts';
import type { KeyId, KeyState, TargetState } from './target-registry.ts';
import { inputTokensOf } from './token-estimate.ts';

function isEmpty(options: object): boolean {
  for (const _ in options) return false;
  return true;
}

/** The tags of an attempt: those of router, tier, target and call, the nearer ones winning. */
function tagsFor(call: Call, target: ResolvedTarget): Tags {
  if (isEmpty(target.tags)) return call.tags;
  return { ...call.config.tags, ...call.called.tags, ...target.tags, ...call.options.tags };
}

/** Counted when a limit in tokens first asks, because counting takes time. */
class AttemptLoad implements Load {
  readonly #plan: AttemptPlan;
  #tokens: number | undefined;

  constructor(plan: AttemptPlan) {
    this.#plan = plan;
  }

  get tokens(): number {
    this.#tokens ??= this.#count();
    return this.#tokens;
  }

  #count(): number {
    const { call, options, state } = this.#plan;
    const output = options.maxOutputTokens ?? state.usualOutputTokens ?? defaults.outputTokens;
    return Math.ceil(inputTokensOf(call.task.messages) + output);
  }
}

function ownKeyFor(engine: Engine, { provider, target, tags }: AttemptPlan): OwnKey | undefined {
  const { keyFor } = provider;
  if (keyFor === undefined) return undefined;
  const state = engine.registry.provider(target.provider);
  return new OwnKey((given) => keyFor.call(provider, given), tags, state);
}

/** One call and one of its targets: what is worked out once for all its attempts there, and what has happened so far. */
export class AttemptPlan implements LimitedAttempt {
  readonly call: Call;
  readonly target: ResolvedTarget;
  readonly provider: Provider;
  readonly state: TargetState;
  /** Where the key depends on the call's tags. */
  readonly ownKey: OwnKey | undefined;
  /** `maxOutputTokens` is at most what the model can answer with. */
  readonly options: CallDefaults;
  /** Whether `maxOutputTokens` was lowered for that. */
  readonly isOutputLowered: boolean;
  readonly tags: Tags;
  readonly priced: ReturnType<typeof pricedTarget>;
  /** Most bytes that an answer may have. */
  readonly maxAnswerBytes: number;
  /** Attempts so far, and the one that was decided on. */
  tries = 0;
  /** An attempt was decided on and has not started: it waits for its delay, or in the queue. */
  isWaiting = false;
  /** Repairs of its answers so far. */
  repairs = 0;
  /** The turns that ask for a repair at the next attempt. */
  repair: readonly NormalMessage[] = [];
  /** It rejected a prefilled turn, so its answer starts from the beginning. */
  rejectedPrefill = false;
  /** Nothing else is left to try: it may wait for room in a budget that passes over targets. */
  isLastResort = false;
  /** The function for its key was asked again after a 401. */
  hasRenewedKey = false;
  /** Unless the key depends on the call's tags. */
  readonly #keyState: KeyState | undefined;

  constructor(engine: Engine, call: Call, target: ResolvedTarget) {
    this.call = call;
    this.target = target;
    this.provider = providerOf(engine, target);
    this.state = engine.registry.target(target.id);
    const options = AttemptPlan.optionsFor(call, target);
    const { maxOutputTokens } = options;
    const limit = maxOutputTokens === undefined ? undefined : this.outputLimit;
    this.isOutputLowered = limit !== undefined && Number(maxOutputTokens) > limit;
    this.options = this.isOutputLowered ? { ...options, maxOutputTokens: limit } : options;
    this.tags = tagsFor(call, target);
    this.priced = pricedTarget(engine, target);
    this.maxAnswerBytes = this.provider.maxAnswerBytes ?? defaults.maxAnswerBytes;
    if (this.provider.keyFor === undefined) this.#keyState = this.state.key(target.key);
    else this.ownKey = ownKeyFor(engine, this);
  }

  /** Which key of the provider it uses. */
  get key(): KeyId {
    return this.ownKey === undefined ? this.target.key : this.ownKey.fingerprint;
  }

  /** Of that key, or the only one. */
  get keyState(): KeyState {
    return this.#keyState ?? this.state.key(this.key);
  }

  /** The options that apply to the target: the call's own over those of the configuration. */
  static optionsFor(call: Call, target: ResolvedTarget): CallDefaults {
    const { providerOptions } = call.options;
    if (isEmpty(target.options)) return call.options;
    return {
      ...target.options,
      ...call.options,
      ...(providerOptions !== undefined && {
        providerOptions: { ...target.options.providerOptions, ...providerOptions },
      }),
    };
  }

  /** Most tokens that the model can answer with; `undefined` when unknown. */
  get outputLimit(): number | undefined {
    return outputLimitOf(this.provider, this.target);
  }

  /** What an attempt takes of the limits, estimated. */
  get load(): Load {
    return new AttemptLoad(this);
  }
}

/** The plans of one call, made when a target is first looked at. */
export class AttemptPlans {
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #plans = new Map<ResolvedTarget, AttemptPlan>();

  constructor(engine: Engine, call: Call) {
    this.#engine = engine;
    this.#call = call;
  }

  of(target: ResolvedTarget): AttemptPlan {
    let plan = this.#plans.get(target);
    if (plan === undefined) {
      plan = new AttemptPlan(this.#engine, this.#call, target);
      this.#plans.set(target, plan);
    }
    return plan;
  }

  /** Whether the call has tried the target, with any key. */
  isTried({ id }: ResolvedTarget): boolean {
    for (const { target, tries } of this.#plans.values()) {
      if (target.id === id && tries > 0) return true;
    }
    return false;
  }

  /** Attempts that were decided on and have not started. */
  waiting(): number {
    let count = 0;
    for (const { isWaiting } of this.#plans.values()) if (isWaiting) count += 1;
    return count;
  }
}
