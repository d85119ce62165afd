import { defaults } from '../../config/defaults.ts';
import { type ResolvedConfig, type ResolvedTarget, targetsOf } from '../../config/resolve.ts';
import { Availability, RateLimitRecord } from '../../health/availability.ts';
import { CircuitBreaker } from '../../health/circuit.ts';
import { Latest } from '../../internal/latest.ts';
import { createRecoveryGate, type Departure, type RecoveryGate } from '../../limits/gate.ts';
import { createLearnedGates } from '../../limits/learned-rate.ts';
import { createHedgeBudget, type HedgeBudget } from '../../limits/request-budgets.ts';
import { createVendorGate, type VendorGate } from '../../limits/vendor-gate.ts';
import { Forecast } from '../../pricing/forecast.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Unavailable } from '../../routing/candidate.ts';
import { QualityStatistics } from '../../telemetry/quality.ts';
import {
  createStatistics,
  NameCounts,
  Recent,
  type Statistics,
} from '../../telemetry/statistics.ts';

/**
 * Which of a provider's keys: of a pool its index, from 0; the fingerprint of a key that depends on the call's tags.
 * `undefined` if there is only one, or while the fingerprint is unknown.
 */
export type KeyId = number | string | undefined;

/** Keeps one state for each key. Those of a pool are few; of keys by tags the latest are kept, and those in use. */
export class StatesByKey<State> {
  readonly #make: (key: KeyId) => State;
  readonly #ofPool = new Map<KeyId, State>();
  readonly #isInUse: (state: State) => boolean;
  #byTags: Latest<string, State> | undefined;

  constructor(make: (key: KeyId) => State, isInUse: (state: State) => boolean = () => false) {
    this.#make = make;
    this.#isInUse = isInUse;
  }

  /** The state of the key; made on first use. */
  of(key: KeyId): State {
    if (typeof key === 'string') {
      this.#byTags ??= new Latest(defaults.keysPerTarget, this.#isInUse);
      return this.#byTags.getOrMake(key, () => this.#make(key));
    }
    let state = this.#ofPool.get(key);
    if (state === undefined) {
      state = this.#make(key);
      this.#ofPool.set(key, state);
    }
    return state;
  }

  peek(key: KeyId): State | undefined {
    return typeof key === 'string' ? this.#byTags?.get(key) : this.#ofPool.get(key);
  }

  /** Of all keys. */
  *values(): Iterable<State> {
    yield* this.#ofPool.values();
    if (this.#byTags !== undefined) yield* this.#byTags.values();
  }

  /** The keys by tags, with their fingerprints. */
  byTags(): Iterable<readonly [string, State]> {
    return this.#byTags?.entries() ?? [];
  }
}

/** The limits of one target with one key, as its vendor reports them and its 429s show them. */
export type LearnedLimits = ReturnType<typeof createLearnedGates> & {
  readonly vendor: VendorGate;
  readonly recovery: RecoveryGate;
};

/** What is known of one target with one key. */
export class KeyState {
  readonly availability: Availability;
  readonly rateLimits: RateLimitRecord;
  /** Attempts that wait or run under its limits. */
  uses = 0;
  #limits: LearnedLimits | undefined;

  constructor(now: () => number) {
    this.availability = new Availability(now);
    this.rateLimits = new RateLimitRecord(now);
  }

  get limits(): LearnedLimits {
    this.#limits ??= {
      ...createLearnedGates(),
      vendor: createVendorGate(),
      recovery: createRecoveryGate(() => this.availability.untils.limited),
    };
    return this.#limits;
  }
}

/** How much the latest answer counts for the usual length. */
const latestWeight = 0.1;

/** How much longer than usual an answer counts as: a wrong count of the vendor's must not hold up later attempts. */
const longerThanUsual = { times: 10, tokens: 10_000 } as const;

/** What is known of one target. */
export class TargetState {
  readonly circuit: CircuitBreaker;
  readonly statistics: Statistics = createStatistics();
  readonly recent = new Recent();
  /** The unknown names in its answers. */
  readonly unknownNames = new NameCounts();
  /** Of all its keys. */
  readonly availability: Availability;
  /** Tokens of a usual answer, a moving average; `undefined` before the first. */
  usualOutputTokens: number | undefined;
  /** Attempts under way. */
  inFlight = 0;
  readonly #now: () => number;
  readonly #keys = new StatesByKey(
    (key) => this.makeKey(key),
    ({ uses }) => uses > 0,
  );

  constructor(runtime: Runtime) {
    this.#now = () => runtime.now();
    this.circuit = new CircuitBreaker(this.#now, () => runtime.random());
    this.availability = new Availability(this.#now);
  }

  key(key: KeyId): KeyState {
    return this.#keys.of(key);
  }

  /** The keys by tags that are remembered, with their fingerprints. */
  keysByTags(): Iterable<readonly [string, KeyState]> {
    return this.#keys.byTags();
  }

  protected makeKey(_key: KeyId): KeyState {
    return new KeyState(this.#now);
  }

  /** The vendor reported that an answer had so many tokens. */
  answeredWith(outputTokens: number): void {
    const before = this.usualOutputTokens;
    const most = (before ?? defaults.outputTokens) * longerThanUsual.times + longerThanUsual.tokens;
    const latest = Math.min(outputTokens, most);
    const usual = before ?? latest;
    this.usualOutputTokens = usual + latestWeight * (latest - usual);
  }

  /** An attempt ended. */
  record(sample: Parameters<Statistics['record']>[0]): void {
    this.statistics.record(sample);
    this.recent.record(sample, this.#now());
  }

  /** An attempt failed because of a customer's key: this says nothing about the target for others. */
  recordKeyFailure(sample: Parameters<Statistics['record']>[0]): void {
    this.statistics.record(sample);
  }

  /** What the limits learn from an attempt that ended in this way. */
  learnedFrom(departure: Departure): Departure {
    return departure;
  }

  /** A reason as the trail has it. */
  describe(reason: string | undefined): string | undefined {
    return reason;
  }
}

/** What is known of one provider: of its keys, whatever the target. */
export class ProviderState {
  /** The key that the next call starts with. */
  nextKey = 0;
  /** Its function for the key by tags is asynchronous: a plan does not wait for it. */
  hasSlowKeys = false;
  readonly #now: () => number;
  readonly #keys = new StatesByKey(() => new Availability(this.#now));
  /** The fingerprints of keys that functions returned and the vendor rejected. */
  readonly #rejected = new Map<KeyId, { readonly fingerprint: string; readonly until: number }>();

  /** Rejections of keys that nobody saw. */
  #unseenRejections = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  key(key: KeyId): Availability {
    return this.#keys.of(key);
  }

  /** What is known of the key; `undefined` if nothing is. */
  peek(key: KeyId): Availability | undefined {
    return this.#keys.peek(key);
  }

  /** Whether a key that a function returned may be sent: the vendor has not rejected it lately. */
  mayUse(index: KeyId, fingerprint: string): boolean {
    return this.#rejectedNow(index)?.fingerprint !== fingerprint;
  }

  /**
   * What stands for the fingerprint of a key that nobody sees. Changes with each rejection: attempts under way at that
   * time may have had the same key, later ones may have another.
   */
  unseenKey(index: KeyId): string {
    return `unseen ${index ?? 0} ${this.#unseenRejections}`;
  }

  /** The vendor rejected a key that a function returned. Returns whether it rejected another one lately. */
  rejected(index: KeyId, fingerprint: string, until: number): boolean {
    const before = this.#rejectedNow(index);
    if (fingerprint === this.unseenKey(index)) this.#unseenRejections += 1;
    this.#rejected.set(index, { fingerprint, until });
    return before !== undefined && before.fingerprint !== fingerprint;
  }

  /** The vendor accepted the key. */
  accepted(index: KeyId): void {
    this.key(index).restore();
    this.#rejected.delete(index);
  }

  #rejectedNow(index: KeyId) {
    const last = this.#rejected.get(index);
    return last !== undefined && last.until > this.#now() ? last : undefined;
  }
}

/** What is known of one tier. */
type TierState = {
  /** How many calls were planned. */
  turn: number;
  hedges: HedgeBudget | undefined;
};

type TargetKey = Pick<ResolvedTarget, 'id' | 'provider' | 'key'>;

/** The reason that lasts longest; a probe under way has no time, and comes first. */
function longest(reasons: readonly (Unavailable | undefined)[]): Unavailable | undefined {
  let last: Unavailable | undefined;
  for (const reason of reasons) {
    if (reason === undefined) continue;
    if (last === undefined || (reason.until ?? 0) > (last.until ?? 0)) last = reason;
  }
  return last;
}

const isolated: Unavailable = { reason: 'isolated', until: undefined, isolated: true };

/** The targets that must get no requests. A target is isolated as long as one of its handles is not restored. */
export class IsolatedTargets {
  /** Handles by target. */
  readonly #handles = new Map<string, number>();

  has(id: string): boolean {
    return this.#handles.has(id);
  }

  /** Returns whether the target was not isolated before. */
  add(id: string): boolean {
    const handles = this.#handles.get(id) ?? 0;
    this.#handles.set(id, handles + 1);
    return handles === 0;
  }

  /** Returns whether the target is not isolated any more. */
  remove(id: string): boolean {
    const left = (this.#handles.get(id) ?? 0) - 1;
    if (left > 0) this.#handles.set(id, left);
    else this.#handles.delete(id);
    return left <= 0;
  }
}

/** The targets that must get fewer requests. The lowest weight of a target's handles applies. */
export class DemotedTargets {
  /** The weights of the handles, by target. */
  readonly #weights = new Map<string, readonly number[]>();

  get isEmpty(): boolean {
    return this.#weights.size === 0;
  }

  /** The most that the target's weight may be; `undefined` when it is not demoted. */
  maxWeight(id: string): number | undefined {
    const weights = this.#weights.get(id);
    return weights && Math.min(...weights);
  }

  add(id: string, weight: number): void {
    this.#weights.set(id, [...(this.#weights.get(id) ?? []), weight]);
  }

  /** Removes one handle of that weight. */
  remove(id: string, weight: number): void {
    const weights = this.#weights.get(id) ?? [];
    const left = weights.toSpliced(weights.indexOf(weight), 1);
    if (left.length > 0) this.#weights.set(id, left);
    else this.#weights.delete(id);
  }
}

/**
 * Everything the router knows of its targets, providers and tiers between calls. States are made on first use and
 * removed by {@link prune} when no configuration in use names them.
 */
export class TargetRegistry {
  /** Not pruned: isolation and demotion outlive a configuration. */
  readonly isolated: IsolatedTargets;
  readonly demoted: DemotedTargets;
  readonly #runtime: Runtime;
  readonly #targets = new Map<string, TargetState>();
  readonly #providers = new Map<string, ProviderState>();
  readonly #tiers = new Map<string, TierState>();
  #forecast: Forecast | undefined;
  #quality: QualityStatistics | undefined;

  /** With `other`, the same targets are isolated and demoted. */
  constructor(runtime: Runtime, other?: TargetRegistry) {
    this.#runtime = runtime;
    this.isolated = other?.isolated ?? new IsolatedTargets();
    this.demoted = other?.demoted ?? new DemotedTargets();
  }

  target(id: string): TargetState {
    let state = this.#targets.get(id);
    if (state === undefined) {
      state = new TargetState(this.#runtime);
      this.#targets.set(id, state);
    }
    return state;
  }

  provider(name: string): ProviderState {
    let state = this.#providers.get(name);
    if (state === undefined) {
      state = new ProviderState(() => this.#runtime.now());
      this.#providers.set(name, state);
    }
    return state;
  }

  tier(name: string): TierState {
    let state = this.#tiers.get(name);
    if (state === undefined) {
      state = { turn: 0, hedges: undefined };
      this.#tiers.set(name, state);
    }
    return state;
  }

  /** The hedges that a tier may still send. */
  hedges(tier: string): HedgeBudget {
    const state = this.tier(tier);
    state.hedges ??= createHedgeBudget();
    return state.hedges;
  }

  /** What calls are expected to need. Made for strategies that ask what a call costs. */
  get forecast(): Forecast {
    this.#forecast ??= new Forecast();
    return this.#forecast;
  }

  /** What feedback says of answers. Made for the first one, or for a call that requires quality. */
  get quality(): QualityStatistics {
    this.#quality ??= new QualityStatistics();
    return this.#quality;
  }

  /**
   * Why the target cannot be tried now; `undefined` when it can. With several keys, `key` says which one: what one key
   * may not do, another may. The circuit is that of all keys. Changes nothing.
   */
  unavailability(
    { id, provider, key: ofPool }: TargetKey,
    key: KeyId = ofPool,
  ): Unavailable | undefined {
    if (this.isolated.has(id)) return isolated;
    const target = this.target(id);
    return longest([
      this.provider(provider).key(key).check(),
      target.key(key).availability.check(),
      target.availability.check(),
      target.circuit.check(),
    ]);
  }

  /** A success of the target: its key, account and model work. */
  restore({ id, provider, key: ofPool }: TargetKey, key: KeyId = ofPool): void {
    const target = this.target(id);
    target.availability.restore();
    target.key(key).availability.restore();
    this.provider(provider).accepted(key);
  }

  prune({ tiers, targets }: ConfiguredNames): void {
    for (const id of this.#targets.keys()) if (!targets.has(id)) this.#targets.delete(id);
    for (const tier of this.#tiers.keys()) if (!tiers.has(tier)) this.#tiers.delete(tier);
    this.#quality?.prune(tiers, targets);
  }
}

/** What the configurations in use name. State under other names can be removed. */
export type ConfiguredNames = {
  /** The targets of each tier. */
  readonly tiers: ReadonlyMap<string, ReadonlySet<string>>;
  /** The targets of all tiers. */
  readonly targets: ReadonlySet<string>;
};

/** The configurations in use: the current one, and older ones of calls in flight. */
export interface LiveConfigs {
  /** Makes this one current. */
  configure(config: ResolvedConfig): void;
  /** A call started with it. */
  retain(config: ResolvedConfig): void;
  /** A call that started with it has ended. */
  release(config: ResolvedConfig): void;
}

function namesIn(configs: Iterable<ResolvedConfig>): ConfiguredNames {
  const tiers = new Map<string, Set<string>>();
  const targets = new Set<string>();
  for (const config of configs) {
    for (const tier of config.tiers.values()) {
      const own = tiers.get(tier.name) ?? new Set();
      tiers.set(tier.name, own);
      for (const { id } of targetsOf(tier)) {
        own.add(id);
        targets.add(id);
      }
    }
  }
  return { tiers, targets };
}

/** Calls `prune` with the names in use whenever some may have become unused. */
export function createLiveConfigs(prune: (names: ConfiguredNames) => void): LiveConfigs {
  let current: ResolvedConfig | undefined;
  /** Calls in flight by configuration. */
  const calls = new Map<ResolvedConfig, number>();

  function pruneNow(): void {
    const live = new Set(calls.keys());
    if (current !== undefined) live.add(current);
    prune(namesIn(live));
  }

  return {
    configure(config) {
      current = config;
      pruneNow();
    },
    retain(config) {
      calls.set(config, (calls.get(config) ?? 0) + 1);
    },
    release(config) {
      const left = (calls.get(config) ?? 0) - 1;
      if (left > 0) {
        calls.set(config, left);
        return;
      }
      calls.delete(config);
      if (config !== current) pruneNow();
    },
  };
}
