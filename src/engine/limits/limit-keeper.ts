import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import type { Health } from '../../health/health.ts';
import { own } from '../../internal/own.ts';
import { timestamp } from '../../internal/timestamp.ts';
import { type Admission, type Bound, createAdmissionQueue } from '../../limits/admission-queue.ts';
import type { Departure, Gate, Load } from '../../limits/gate.ts';
import { createAdaptiveGates } from '../../limits/learned-gates.ts';
import { createWithheldGate, type WithheldGate } from '../../limits/recovery-gate.ts';
import { createVendorGate, type VendorGate } from '../../limits/vendor-gate.ts';
import type { RateLimit } from '../../protocol/provider.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Call, LimitKeeper, Place } from '../core/engine.ts';
import { optionsFor } from '../core/engine.ts';
import { heldUnder } from '../core/keys.ts';
import { asTurnedAway } from '../failures/queue-rejection.ts';
import { ConfiguredLimits } from './configured-limits.ts';

/** What is learned of a target with one key. */
type Learned = ReturnType<typeof createAdaptiveGates> & {
  readonly vendor: VendorGate;
  readonly withheld: WithheldGate;
};

/** A class, as is all that each call has. */
class HeldPlace implements Place {
  readonly #runtime: Runtime;
  readonly #learned: Learned;
  readonly #admission: Admission;

  constructor(runtime: Runtime, learned: Learned, admission: Admission) {
    this.#runtime = runtime;
    this.#learned = learned;
    this.#admission = admission;
  }

  told(limits: readonly RateLimit[]): void {
    this.#admission.pass(this.#learned.vendor)?.told(limits, this.#runtime.now());
    this.#admission.review();
  }

  begun(): void {
    const { withheld } = this.#learned;
    if (!withheld.isGuarded()) return;
    this.#admission.pass(withheld)?.begun();
    this.#admission.review();
  }

  leave(departure: Departure): void {
    this.#admission.leave(departure);
  }
}

/** How much the latest answer counts for the usual length. */
const weight = 0.1;

/** How much longer than usual an answer is taken to be: a slip of the vendor's must not hold up what follows. */
const longerThanUsual = { times: 10, tokens: 10_000 } as const;

export function createLimitKeeper(runtime: Runtime, health: Health): LimitKeeper {
  const queue = createAdmissionQueue(runtime);
  const configured = new ConfiguredLimits();
  /** By target, then by key of the provider's pool. */
  const learned = new Map<string, Map<number | undefined, Learned>>();
  const usualOutput = new Map<string, number>();
  const gates = new WeakMap<ResolvedTier, WeakMap<ResolvedTarget, readonly Gate[]>>();

  function learnedOf(target: ResolvedTarget): Learned {
    let ofKeys = learned.get(target.id);
    if (ofKeys === undefined) {
      ofKeys = new Map();
      learned.set(target.id, ofKeys);
    }
    const known = ofKeys.get(target.key);
    if (known !== undefined) return known;
    const { target: name } = heldUnder(target);
    const made: Learned = {
      ...createAdaptiveGates(),
      vendor: createVendorGate(),
      withheld: createWithheldGate(() => health.get(name).unavailable.limited),
    };
    ofKeys.set(target.key, made);
    return made;
  }

  /** Made once for each configuration: they are asked for several times in each call. */
  function gatesOf(call: Call, target: ResolvedTarget): readonly Gate[] {
    let made = gates.get(call.tier);
    if (made === undefined) {
      made = new WeakMap();
      gates.set(call.tier, made);
    }
    let known = made.get(target);
    if (known === undefined) {
      known = makeGates(call, target);
      made.set(target, known);
    }
    return known;
  }

  function makeGates({ config, tier }: Call, target: ResolvedTarget): readonly Gate[] {
    const { withheld, vendor, rate, concurrency } = learnedOf(target);
    const own = configured.gates(config, tier.name, target);
    return [...own, withheld, vendor, rate, concurrency];
  }

  function loadOf(call: Call, target: ResolvedTarget): Load {
    const { maxOutputTokens } = optionsFor(call, target);
    const output = maxOutputTokens ?? usualOutput.get(target.id) ?? defaults.outputTokens;
    return { tokens: Math.ceil(call.inputTokens + output) };
  }

  function boundsOf({ config, tier }: Call, target: ResolvedTarget): readonly Bound[] {
    const { maxQueue = defaults.maxQueue } = target.limits;
    const ofTarget = { key: heldUnder(target).target, max: maxQueue };
    const others = [
      { key: `tier ${tier.name}`, max: tier.limits.maxQueue },
      {
        key: `provider ${target.provider}`,
        max: own(config.providerLimits, target.provider)?.maxQueue,
      },
    ];
    return [
      ofTarget,
      ...others.flatMap(({ key, max }) => (max === undefined ? [] : [{ key, max }])),
    ];
  }

  function placeOf(target: ResolvedTarget, admission: Admission): Place {
    return new HeldPlace(runtime, learnedOf(target), admission);
  }

  return {
    enter(call, scope, target) {
      const gates = gatesOf(call, target);
      const load = loadOf(call, target);
      const admitted = scope.reason === undefined ? queue.pass(gates, load) : undefined;
      if (admitted !== undefined) return placeOf(target, admitted);
      const now = runtime.now();
      const all = [
        own(call.config.providerLimits, target.provider),
        call.tier.limits,
        target.limits,
      ];
      const maxQueueMs = all.map((limits) => limits?.maxQueueMs ?? Number.POSITIVE_INFINITY);
      const entered = queue.enter({
        gates,
        load,
        priority: optionsFor(call, target).priority ?? defaults.priority,
        since: scope.startedAt,
        deadline: now + scope.remainingMs(),
        expiresAt: now + Math.min(...maxQueueMs),
        bounds: boundsOf(call, target),
        signal: scope.signal,
      });
      if (!(entered instanceof Promise)) return placeOf(target, entered);
      return entered.then(
        (admission) => placeOf(target, admission),
        (error: unknown) => {
          const waitedMs = runtime.now() - now;
          throw asTurnedAway(error, { id: target.id, name: heldUnder(target).target, waitedMs });
        },
      );
    },
    busy(call, target) {
      const forecast = queue.forecast(gatesOf(call, target), loadOf(call, target));
      if (forecast === undefined) return undefined;
      const until = forecast.waitMs > 0 ? runtime.now() + forecast.waitMs : undefined;
      const time = until === undefined ? '' : ` until ${timestamp(until)}`;
      return { reason: `${forecast.gate} is used up${time}`, until, waits: true };
    },
    answered({ id }, outputTokens) {
      const before = usualOutput.get(id);
      const { times, tokens } = longerThanUsual;
      const most = (before ?? defaults.outputTokens) * times + tokens;
      const latest = Math.min(outputTokens, most);
      const usual = before ?? latest;
      usualOutput.set(id, usual + weight * (latest - usual));
    },
    snapshot(target) {
      const now = runtime.now();
      const known = learned.get(target.id)?.get(target.key);
      const left = (unit: 'requests' | 'tokens', kind: 'rpm' | 'tpm'): number | undefined => {
        const own = configured.left(target, kind, now);
        const vendors = known?.vendor.left(now).filter((each) => each.unit === unit) ?? [];
        const all = [own ?? Number.POSITIVE_INFINITY, ...vendors.map((each) => each.left)];
        const least = Math.min(...all);
        return Number.isFinite(least) ? least : undefined;
      };
      const concurrency = known?.concurrency.limit(now);
      const requestsPerMinute = known?.rate.limit(now);
      const requestsLeft = left('requests', 'rpm');
      const tokensLeft = left('tokens', 'tpm');
      return {
        queued: queue.waiting(heldUnder(target).target),
        ...(concurrency !== undefined && { concurrency: Math.floor(concurrency) }),
        ...(requestsPerMinute !== undefined && {
          requestsPerMinute: Math.floor(requestsPerMinute),
        }),
        ...(requestsLeft !== undefined && { requestsLeft }),
        ...(tokensLeft !== undefined && { tokensLeft }),
      };
    },
    configure(config) {
      configured.configure(config, runtime.now());
      queue.review();
    },
    prune(names) {
      configured.prune(names);
      for (const id of learned.keys()) if (!names.targets.has(id)) learned.delete(id);
      for (const id of usualOutput.keys()) if (!names.targets.has(id)) usualOutput.delete(id);
    },
  };
}
