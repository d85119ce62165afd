import { defaults } from '../config/defaults.ts';
import type { ResolvedTarget, ResolvedTier } from '../config/resolve.ts';
import { lastOf } from '../internal/last-of.ts';
import type { Limits } from '../protocol/config.ts';
import type { RateLimit } from '../protocol/provider.ts';
import type { LimitsSnapshot } from '../protocol/router.ts';
import type { Runtime } from '../protocol/runtime.ts';
import { createAdaptiveGates } from '../resilience/adaptive-gate.ts';
import { type Admission, type Bound, createAdmissionQueue } from '../resilience/admission-queue.ts';
import { createConcurrencyGate } from '../resilience/concurrency-gate.ts';
import type { Departure, Gate, Load } from '../resilience/gate.ts';
import { type Health, keySuffix } from '../resilience/health.ts';
import { createRateGate, type RateGate } from '../resilience/rate-gate.ts';
import { createVendorGate, type VendorGate } from '../resilience/vendor-gate.ts';
import { createWithheldGate, type WithheldGate } from '../resilience/withheld-gate.ts';
import type { Unavailable } from '../routing/candidate.ts';
import type { Call } from './engine.ts';
import { heldUnder } from './keys.ts';
import { optionsFor } from './request.ts';
import type { Scope } from './scope.ts';
import { asTurnedAway } from './turned-away.ts';

/** A place under all limits of a target, held while it is asked. */
export interface Place {
  /** The vendor told its own limits. */
  told(limits: readonly RateLimit[]): void;
  /** The first token has come. */
  begun(): void;
  /** Gives the place back; once. */
  leave(departure: Departure): void;
}

/** Every limit of the router's targets, told and learned, and the one queue in front of them. */
export interface LimitKeeper {
  /**
   * A place under the target's limits, at once or when its turn comes. Rejects with `rate_limited` when it
   * never will (see `wasTurnedAway`), or with the reason of the call's end.
   */
  enter(call: Call, scope: Scope, target: ResolvedTarget): Place | Promise<Place>;
  /** Why an attempt that came now would have to wait; `undefined` when it would not. */
  busy(call: Call, target: ResolvedTarget): Unavailable | undefined;
  /** What the target's answers take, for the estimate of the next one's. */
  answered(target: ResolvedTarget, outputTokens: number): void;
  snapshot(target: ResolvedTarget): LimitsSnapshot;
}

/** What is learned of a target with one key. */
type Learned = ReturnType<typeof createAdaptiveGates> & {
  readonly vendor: VendorGate;
  readonly withheld: WithheldGate;
};

/** A limit by its name in the queue; its value follows the configuration. */
type Told = { value: number; readonly gate: Gate | RateGate };

/** A class, as is all that each call has. */
class HeldPlace implements Place {
  readonly #runtime: Runtime;
  readonly #learned: Learned;
  readonly #admission: Admission;

  constructor(runtime: Runtime, learned: Learned, admission: Admission) {
    this.#runtime = runtime;
    this.#learned = learned;
    this.#admission = admission;
    lastOf.place = this;
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

export function createLimitKeeper(runtime: Runtime, health: Health): LimitKeeper {
  const queue = createAdmissionQueue(runtime);
  const told = new Map<string, Told>();
  const learned = new Map<string, Learned>();
  const usualOutput = new Map<string, number>();
  const gates = new WeakMap<ResolvedTier, WeakMap<ResolvedTarget, readonly Gate[]>>();

  function toldGate(
    owner: string,
    kind: 'concurrency' | 'rpm' | 'tpm',
    value: number | undefined,
    whose: string,
  ): readonly Gate[] {
    if (value === undefined) return [];
    const key = `${owner} ${kind}`;
    const known = told.get(key);
    if (known !== undefined) {
      known.value = value;
      return [known.gate];
    }
    const name = (): string => `${whose.replace('*', `${kind} limit of ${limit.value}`)}`;
    const gate =
      kind === 'concurrency'
        ? createConcurrencyGate(name, () => limit.value)
        : createRateGate({
            name,
            unit: kind === 'rpm' ? 'requests' : 'tokens',
            perMinute: () => limit.value,
          });
    const limit: Told = { value, gate };
    told.set(key, limit);
    return [gate];
  }

  /** The gates of one set of limits. Rates are of each key, since that is how vendors count. */
  function toldGates(
    limits: Limits | undefined,
    owner: string,
    suffix: string,
    whose: string,
  ): readonly Gate[] {
    if (limits === undefined) return [];
    return [
      ...toldGate(owner, 'concurrency', limits.concurrency, whose),
      ...toldGate(owner + suffix, 'rpm', limits.rpm, whose),
      ...toldGate(owner + suffix, 'tpm', limits.tpm, whose),
    ];
  }

  /** Tiers that set different limits for a target each have their own. */
  function ownerOf({ id, limits }: ResolvedTarget): string {
    return `target ${id} ${limits.concurrency} ${limits.rpm} ${limits.tpm}`;
  }

  function learnedOf(target: ResolvedTarget): Learned {
    const key = heldUnder(target).target;
    const known = learned.get(key) ?? {
      ...createAdaptiveGates(),
      vendor: createVendorGate(),
      withheld: createWithheldGate(() => health.get(key).unavailable.limited),
    };
    learned.set(key, known);
    return known;
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
    const { provider, key } = target;
    const suffix = key === undefined ? '' : keySuffix(key);
    const { withheld, vendor, rate, concurrency } = learnedOf(target);
    const ofProvider = config.providerLimits[provider];
    return [
      ...toldGates(ofProvider, `provider ${provider}`, suffix, `the * of provider "${provider}"`),
      ...toldGates(tier.limits, `tier ${tier.name}`, '', `the * of tier "${tier.name}"`),
      ...toldGates(target.limits, ownerOf(target), suffix, 'its *'),
      withheld,
      vendor,
      rate,
      concurrency,
    ];
  }

  function loadOf(call: Call, target: ResolvedTarget): Load {
    const { maxOutputTokens } = optionsFor(call, target);
    const output = maxOutputTokens ?? usualOutput.get(target.id) ?? defaults.outputTokens;
    return { tokens: Math.ceil(call.inputTokens + output) };
  }

  function boundsOf({ config, tier }: Call, target: ResolvedTarget): readonly Bound[] {
    const { maxQueue = defaults.maxQueue } = target.limits;
    const own = { key: heldUnder(target).target, max: maxQueue };
    const others = [
      { key: `tier ${tier.name}`, max: tier.limits.maxQueue },
      { key: `provider ${target.provider}`, max: config.providerLimits[target.provider]?.maxQueue },
    ];
    return [own, ...others.flatMap(({ key, max }) => (max === undefined ? [] : [{ key, max }]))];
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
      const all = [call.config.providerLimits[target.provider], call.tier.limits, target.limits];
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
      const time = until === undefined ? '' : ` until ${new Date(until).toISOString()}`;
      return { reason: `${forecast.gate} is used up${time}`, until, waits: true };
    },
    answered({ id }, outputTokens) {
      const usual = usualOutput.get(id) ?? outputTokens;
      usualOutput.set(id, usual + weight * (outputTokens - usual));
    },
    snapshot(target) {
      const now = runtime.now();
      const { key } = target;
      const known = learned.get(heldUnder(target).target);
      const suffix = key === undefined ? '' : keySuffix(key);
      const left = (unit: 'requests' | 'tokens', kind: 'rpm' | 'tpm'): number | undefined => {
        const gate = told.get(`${ownerOf(target)}${suffix} ${kind}`)?.gate;
        const own = gate !== undefined && 'left' in gate ? gate.left(now) : undefined;
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
  };
}
