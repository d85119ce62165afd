import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../config/resolve.ts';
import { SignalboxError, summarizeError } from '../errors.ts';
import type { PartialAnswer } from '../protocol/completion.ts';
import type { ErrorCode } from '../protocol/error-code.ts';
import type { NormalMessage } from '../protocol/message.ts';
import type { Capability, Provider } from '../protocol/provider.ts';
import type { Knowledge, Unavailable } from '../routing/candidate.ts';
import { type Plan, plan } from '../routing/plan.ts';
import { failureTable, isAttemptErrorCode } from './decide.ts';
import { type Call, type Engine, pricedTarget, providerOf } from './engine.ts';
import { heldUnder, isKeyFailure, keysOf, toldKey, turnKeys } from './keys.ts';
import type { Scope } from './scope.ts';
import type { Trail } from './trail.ts';
import { wasTurnedAway } from './turned-away.ts';

/** What the router knows of its targets, for the plan. */
function knowledgeOf(engine: Engine, call: Call): Knowledge {
  return {
    capabilities: (target) => capabilitiesOf(providerOf(engine, target), target.model),
    contextWindow: (target) => windowOf(engine, target),
    keys: (target) => keysOf(engine, target),
    unavailable: (target) => unavailability(engine, call, target),
    listPrice: (target) => {
      const price = engine.pricing.standardPrice(pricedTarget(engine, target));
      return price && price.input + price.output;
    },
  };
}

/** Why the target may not be asked now, or would have to wait. */
function unavailability(
  engine: Engine,
  call: Call,
  target: ResolvedTarget,
): Unavailable | undefined {
  const refusal = engine.health.check(target.id, target.provider, target.key);
  return refusal ?? engine.limits.busy(call, target);
}

/** What the provider says of the model, and what it can be asked for at all. */
function capabilitiesOf(provider: Provider, model: string): ReadonlySet<Capability> {
  const capabilities = new Set(provider.capabilities(model));
  if (provider.prepareEmbedding !== undefined) capabilities.add('embeddings');
  if (provider.prepareImage !== undefined) capabilities.add('image-output');
  return capabilities;
}

function windowOf(engine: Engine, target: ResolvedTarget): number | undefined {
  return target.contextWindow ?? engine.pricing.contextWindow(pricedTarget(engine, target));
}

/** A tier and those it falls back to. The configuration is checked for circles. */
export function tiersOf(config: ResolvedConfig, first: ResolvedTier): readonly ResolvedTier[] {
  const tiers = [first];
  let next = first.fallbackTier;
  while (next !== undefined) {
    const tier = config.tiers.get(next);
    if (tier === undefined) break;
    tiers.push(tier);
    next = tier.fallbackTier;
  }
  return tiers;
}

/** Whom this call would ask, and why not the others. */
export function planCall(engine: Engine, call: Call): Plan {
  const { route } = call.options;
  const { whenAllOpen } = call.tier;
  const { needs, familyOf } = call.task;
  const options = { route, whenAllOpen, ...(familyOf !== undefined && { familyOf }) };
  return plan(tiersOf(call.config, call.tier), needs, options, knowledgeOf(engine, call));
}

/** What the call remembers of a target: its tries, its repairs, and the turns that ask for the next one. */
type State = {
  tries: number;
  repairs: number;
  repair: readonly NormalMessage[];
  /** It did not go on with an answer that another target had begun. */
  refusedPrefill: boolean;
};

/** The targets of one call, handed out one after another. */
export interface Chain {
  /** The next target to ask; waits for one that is rate limited when nothing else is left. */
  next(): Promise<ResolvedTarget | undefined>;
  /**
   * Why the target may not be asked at this moment. To be asked in the same turn as its circuit is entered:
   * in between, another call may take the only place of a probe. One that would have to wait while another is
   * free is asked again in the end.
   */
  refusal(target: ResolvedTarget): string | undefined;
  /** What speaks against the target's health; nothing does against the least bad one. */
  unwell(target: ResolvedTarget): Unavailable | undefined;
  /** How often the target was tried and repaired in this call. */
  state(target: ResolvedTarget): State;
  /** Another target could be asked now. */
  othersFree(target: ResolvedTarget, code: ErrorCode): boolean;
  /** Whether another target could be asked beside this one. */
  hasSpare(target: ResolvedTarget): boolean;
  /** Takes that other target out of the chain; one of another provider if there is one. */
  takeSpare(target: ResolvedTarget): ResolvedTarget | undefined;
  /** The target is about to be asked; tells of the failover when another one failed before it. */
  asking(target: ResolvedTarget): void;
  /** The target failed and the verdict was to go on. */
  failed(target: ResolvedTarget, error: SignalboxError): void;
  /** The target is to be asked once more, from the start. */
  again(target: ResolvedTarget): void;
  /** The error of a chain that has ended; `partial` is what the reader has seen of an answer. */
  exhausted(partial?: PartialAnswer): SignalboxError;
}

export function openChain(engine: Engine, call: Call, scope: Scope, trail: Trail): Chain {
  const { runtime, health } = engine;
  const planned = planCall(engine, call);
  /** What is left of the plan. */
  let steps = [...planned.steps];
  const isForced = planned.leastBad !== undefined;
  const fresh = (): readonly ResolvedTarget[] => steps.flatMap((step) => step.ask ?? []);
  const states = new Map<string, State>();
  let limited: readonly { readonly target: ResolvedTarget; readonly until: number }[] = [];
  let lastFailed: { readonly target: ResolvedTarget; readonly error: SignalboxError } | undefined;
  /** Set by a prompt that was too long: only a larger window may still take it. */
  let tooSmall: { readonly window: number | undefined } | undefined;

  turnKeys(engine, planned.candidates);
  if (engine.emitter.isHeard('route-plan')) {
    trail.emit('route-plan', {
      candidates: planned.candidates.map(({ id }) => id),
      skipped: planned.skipped.map(({ target, reason }) => ({ target, reason })),
    });
  }

  function stateOf(target: ResolvedTarget): State {
    const { target: id } = heldUnder(target);
    const state = states.get(id) ?? { tries: 0, repairs: 0, repair: [], refusedPrefill: false };
    states.set(id, state);
    return state;
  }

  const attemptsLeft = (): number => call.tier.maxAttempts - trail.attempts;

  function isLarger(target: ResolvedTarget): boolean {
    if (tooSmall === undefined) return true;
    const window = windowOf(engine, target);
    if (window === undefined) return true;
    return tooSmall.window !== undefined && window > tooSmall.window;
  }

  const isFree = (target: ResolvedTarget): boolean =>
    isLarger(target) && unavailability(engine, call, target) === undefined;

  function spareFor(target: ResolvedTarget): ResolvedTarget | undefined {
    const free = fresh().filter((other) => other.id !== target.id && isFree(other));
    return free.find((other) => other.provider !== target.provider) ?? free[0];
  }

  /** Why a target of the plan is passed over after all: things have changed since it was made. */
  function passOver(target: ResolvedTarget): string | undefined {
    if (!isLarger(target)) return 'its context window is no larger';
    const usualMs = engine.statistics(target.id).percentile('firstTokenMs', 0.5);
    if (usualMs !== undefined && usualMs > scope.remainingMs() && fresh().length > 0) {
      return `its first token usually takes ${Math.round(usualMs)} ms, more than is left`;
    }
    return undefined;
  }

  /** What ails the target ails it with every key. */
  function dropOtherKeys({ id, key }: ResolvedTarget): void {
    if (key === undefined) return;
    const reason = 'another key would not help';
    steps = steps.map((step) =>
      step.ask?.id === id ? { skip: { target: id, reason, ...toldKey(step.ask) } } : step,
    );
  }

  function othersFree(target: ResolvedTarget, code: ErrorCode): boolean {
    return (
      attemptsLeft() > 0 &&
      steps.some(
        ({ ask: other }) =>
          other !== undefined &&
          (isKeyFailure(code) ? other !== target : other.id !== target.id) &&
          isFree(other),
      )
    );
  }

  /** Waits until a rate limit is over, if that is before the deadline. */
  async function waitFor(until: number): Promise<boolean> {
    const waitMs = until - runtime.now();
    if (waitMs >= scope.remainingMs()) return false;
    if (waitMs > 0) await runtime.sleep(waitMs, scope.signal);
    return true;
  }

  /** With nothing fresh left, the target whose rate limit is over first gets another chance. */
  async function secondChance(): Promise<ResolvedTarget | undefined> {
    const { attempts = failureTable.rate_limited.alone } = {
      ...call.tier.retry,
      ...call.options.retry,
    };
    const open = limited.filter(({ target }) => stateOf(target).tries <= attempts);
    const soonest = open.sort((a, b) => a.until - b.until)[0];
    if (soonest === undefined || attemptsLeft() <= 0) return undefined;
    const { target, until } = soonest;
    limited = limited.filter((each) => each !== soonest);
    return (await waitFor(until)) ? target : undefined;
  }

  function unwell(target: ResolvedTarget): Unavailable | undefined {
    return isForced ? undefined : health.check(target.id, target.provider, target.key);
  }

  return {
    unwell,
    refusal(target) {
      const unwellness = unwell(target);
      if (unwellness !== undefined) return unwellness.reason;
      const busy = engine.limits.busy(call, target);
      if (busy === undefined || !othersFree(target, 'rate_limited')) return undefined;
      steps.push({ ask: target });
      return busy.reason;
    },
    state: stateOf,
    othersFree,
    hasSpare: (target) => attemptsLeft() > 0 && spareFor(target) !== undefined,
    takeSpare(target) {
      const spare = spareFor(target);
      steps = steps.filter((step) => step.ask === undefined || step.ask !== spare);
      return spare;
    },
    asking(target) {
      if (lastFailed === undefined || lastFailed.target === target) return;
      const error = summarizeError(lastFailed.error);
      trail.emit('failover', { from: lastFailed.target.id, to: target.id, error });
    },
    failed(target, error) {
      lastFailed = { target, error };
      if (error.code === 'context_length') tooSmall = { window: windowOf(engine, target) };
      if (error.code === 'rate_limited' && !wasTurnedAway(error)) {
        const until = health.get(heldUnder(target).target).unavailable.limited ?? runtime.now();
        limited = [...limited.filter((each) => each.target !== target), { target, until }];
      }
      if (!isKeyFailure(error.code)) dropOtherKeys(target);
    },
    again: (target) => steps.unshift({ ask: target }),
    async next() {
      for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
        if (step.ask === undefined) {
          trail.skip(step.skip, step.skip.reason);
          continue;
        }
        const target = step.ask;
        if (attemptsLeft() <= 0) {
          trail.skip(
            { target: target.id, ...toldKey(target) },
            `maxAttempts (${call.tier.maxAttempts}) reached`,
          );
          continue;
        }
        const reason = passOver(target);
        if (reason !== undefined) {
          trail.skip({ target: target.id, ...toldKey(target) }, reason);
          continue;
        }
        return target;
      }
      return secondChance();
    },
    exhausted(partial) {
      const told = trail.errors.map((error) => error.message);
      const passed = trail.lines
        .filter((line) => line.outcome === 'skipped' && line.error === undefined)
        .map((line) => `${line.target}: passed over, ${line.reason ?? 'unavailable'}`);
      const lines = [...told, ...passed].map((line) => `\n  ${line}`).join('');
      const untils = tiersOf(call.config, call.tier)
        .flatMap((tier) => tier.targets)
        .flatMap((target) => keysOf(engine, target)?.map((key) => ({ ...target, key })) ?? [target])
        .map((target) => unavailability(engine, call, target)?.until)
        .filter((until) => until !== undefined);
      const retryAfterMs =
        untils.length === 0
          ? undefined
          : Math.max(0, Math.ceil(Math.min(...untils) - runtime.now()));
      const last = trail.errors.at(-1);
      return new SignalboxError(
        'all_targets_failed',
        `all targets of tier "${call.tier.name}" failed${lines}`,
        {
          errors: trail.errors,
          retryAfterMs,
          partial,
          ...(last !== undefined && isAttemptErrorCode(last.code) && { cause: last }),
        },
      );
    },
  };
}
