import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import { own } from '../../internal/own.ts';
import { timestamp } from '../../internal/timestamp.ts';
import { type Admission, type Bound, createAdmissionQueue } from '../../limits/admission-queue.ts';
import type { Departure, Gate } from '../../limits/gate.ts';
import type { RateLimit } from '../../protocol/provider.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { type LimitedAttempt, type LimitKeeper, type Slot, targetLabel } from '../core/engine.ts';
import type {
  KeyState,
  LearnedLimits,
  TargetRegistry,
  TargetState,
} from '../core/target-registry.ts';
import { asQueueRejection } from '../failures/queue-rejection.ts';
import { ConfiguredLimits } from './configured-limits.ts';

/** See {@link Slot}. */
class AdmittedSlot implements Slot {
  readonly #runtime: Runtime;
  readonly #state: TargetState;
  readonly #learned: LearnedLimits;
  readonly #keyState: KeyState;
  readonly #admission: Admission;

  constructor(runtime: Runtime, { state, keyState }: LimitedAttempt, admission: Admission) {
    this.#runtime = runtime;
    this.#state = state;
    this.#learned = keyState.limits;
    this.#keyState = keyState;
    keyState.uses += 1;
    this.#admission = admission;
  }

  reported(limits: readonly RateLimit[]): void {
    this.#admission.pass(this.#learned.vendor)?.reported(limits, this.#runtime.now());
    this.#admission.review();
  }

  firstToken(): void {
    const { recovery } = this.#learned;
    if (!recovery.isProbing()) return;
    this.#admission.pass(recovery)?.answered();
    this.#admission.review();
  }

  release(departure: Departure): void {
    this.#keyState.uses -= 1;
    this.#admission.leave(this.#state.learnedFrom(departure));
  }
}

export function createLimitKeeper(runtime: Runtime, registry: TargetRegistry): LimitKeeper {
  const queue = createAdmissionQueue(runtime);
  const configured = new ConfiguredLimits();
  /** By tier, then by target with each key of a pool, or by the state of a key by tags. */
  let gates = new WeakMap<ResolvedTier, WeakMap<ResolvedTarget | KeyState, readonly Gate[]>>();

  /** Made once for each tier and target of a configuration, with each key, until the limits change. */
  function gatesOf({ call, target, key, keyState }: LimitedAttempt): readonly Gate[] {
    const { config, tier } = call;
    const owner = typeof key === 'string' ? keyState : target;
    let ofTier = gates.get(tier);
    if (ofTier === undefined) {
      ofTier = new WeakMap();
      gates.set(tier, ofTier);
    }
    let known = ofTier.get(owner);
    if (known === undefined) {
      const { recovery, vendor, rate, concurrency } = keyState.limits;
      const ofConfig = configured.gates(config, tier.name, target, key);
      known = [...ofConfig, recovery, vendor, rate, concurrency];
      ofTier.set(owner, known);
    }
    return known;
  }

  function boundsOf({ call: { config, tier }, target, key }: LimitedAttempt): readonly Bound[] {
    const { maxQueue = defaults.maxQueue } = target.limits;
    const label = targetLabel(target);
    // One customer's attempts must not fill the queue for the others.
    const ofKey = { key: `${label} ${key}`, max: maxQueue, label };
    const ofTarget =
      typeof key === 'string'
        ? [{ key: label, max: Number.POSITIVE_INFINITY }, ofKey]
        : [{ key: label, max: maxQueue }];
    const others = [
      { key: `tier ${tier.name}`, max: tier.limits.maxQueue },
      {
        key: `provider ${target.provider}`,
        max: own(config.providerLimits, target.provider)?.maxQueue,
      },
    ];
    return [
      ...ofTarget,
      ...others.flatMap(({ key, max }) => (max === undefined ? [] : [{ key, max }])),
    ];
  }

  /** Epoch milliseconds at which the attempt has waited too long. */
  function expiryOf({ call: { config, tier }, target }: LimitedAttempt, now: number): number {
    const all = [own(config.providerLimits, target.provider), tier.limits, target.limits];
    return now + Math.min(...all.map((each) => each?.maxQueueMs ?? Number.POSITIVE_INFINITY));
  }

  return {
    enter(attempt, scope) {
      const { load, target, keyState } = attempt;
      const gates = gatesOf(attempt);
      const admitted = scope.reason === undefined ? queue.pass(gates, load) : undefined;
      if (admitted !== undefined) return new AdmittedSlot(runtime, attempt, admitted);
      const now = runtime.now();
      const entered = queue.enter({
        gates,
        renewedGates: () => gatesOf(attempt),
        load,
        priority: attempt.options.priority ?? defaults.priority,
        since: scope.startedAt,
        deadline: now + scope.remainingMs(),
        expiresAt: expiryOf(attempt, now),
        bounds: boundsOf(attempt),
        signal: scope.signal,
      });
      if (!(entered instanceof Promise)) return new AdmittedSlot(runtime, attempt, entered);
      keyState.uses += 1;
      return entered.then(
        (admission) => {
          keyState.uses -= 1;
          return new AdmittedSlot(runtime, attempt, admission);
        },
        (error: unknown) => {
          keyState.uses -= 1;
          const waitedMs = runtime.now() - now;
          throw asQueueRejection(error, { id: target.id, label: targetLabel(target), waitedMs });
        },
      );
    },
    busy(attempt) {
      const forecast = queue.forecast(gatesOf(attempt), attempt.load);
      if (forecast === undefined) return undefined;
      const until = forecast.waitMs > 0 ? runtime.now() + forecast.waitMs : undefined;
      const time = until === undefined ? '' : ` until ${timestamp(until)}`;
      return { reason: `${forecast.gate} is used up${time}`, until, waits: true };
    },
    snapshot(target) {
      const now = runtime.now();
      const { vendor, concurrency, rate } = registry.target(target.id).key(target.key).limits;
      const left = (unit: 'requests' | 'tokens', kind: 'rpm' | 'tpm'): number | undefined => {
        const ours = configured.left(target, kind, now);
        const vendors = vendor.left(now).filter((each) => each.unit === unit);
        const all = [ours ?? Number.POSITIVE_INFINITY, ...vendors.map((each) => each.left)];
        const least = Math.min(...all);
        return Number.isFinite(least) ? least : undefined;
      };
      const atOnce = concurrency.limit(now);
      const requestsPerMinute = rate.limit(now);
      const requestsLeft = left('requests', 'rpm');
      const tokensLeft = left('tokens', 'tpm');
      return {
        queued: queue.waiting(targetLabel(target)),
        ...(atOnce !== undefined && { concurrency: Math.floor(atOnce) }),
        ...(requestsPerMinute !== undefined && {
          requestsPerMinute: Math.floor(requestsPerMinute),
        }),
        ...(requestsLeft !== undefined && { requestsLeft }),
        ...(tokensLeft !== undefined && { tokensLeft }),
      };
    },
    configure(config) {
      configured.configure(config, runtime.now());
      // An older configuration's calls pass the gates of limits that were added, too.
      gates = new WeakMap();
      queue.limitsChanged();
    },
    prune: (names) => configured.prune(names),
  };
}
