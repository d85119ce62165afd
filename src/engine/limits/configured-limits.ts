import { type ResolvedConfig, type ResolvedTarget, targetsOf } from '../../config/resolve.ts';
import { own } from '../../internal/own.ts';
import { createConcurrencyGate, type Gate } from '../../limits/gate.ts';
import { createRateGate, type RateGate } from '../../limits/rate-gate.ts';
import type { Limits } from '../../protocol/config.ts';
import { type ConfiguredNames, type KeyId, StatesByKey } from '../core/target-registry.ts';

type Rate = 'rpm' | 'tpm';

const noLimits: Limits = {};

/**
 * The limits that a configuration sets for one owner (a provider, a tier, or a target of a tier), with their counts. A new
 * configuration changes the numbers; attempts in flight still count.
 */
class OwnedLimits {
  #limits: Limits;
  /** For messages, with `*` for the limit. */
  readonly #whose: string;
  readonly #concurrency: Gate;
  /** By key of the provider: vendors count for each key. */
  readonly #rates = new StatesByKey((): Partial<Record<Rate, RateGate>> => ({}));

  constructor(whose: string, limits: Limits) {
    this.#whose = whose;
    this.#limits = limits;
    // Made without a limit too, so that a limit that is set later counts what is in flight.
    this.#concurrency = createConcurrencyGate(
      () => this.#nameOf('concurrency'),
      () => this.#limits.concurrency ?? Number.POSITIVE_INFINITY,
    );
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** Changes the numbers. */
  change(limits: Limits, now: number): void {
    const before = this.#limits;
    this.#limits = limits;
    for (const rates of this.#rates.values()) {
      if (before.rpm !== undefined) rates.rpm?.limitChanged(before.rpm, now);
      if (before.tpm !== undefined) rates.tpm?.limitChanged(before.tpm, now);
    }
  }

  gates(key: KeyId): readonly Gate[] {
    const rates = [this.#rate('rpm', key), this.#rate('tpm', key)];
    return [this.#concurrency, ...rates.filter((gate) => gate !== undefined)];
  }

  /** What is left of a rate within this minute; `undefined` without a limit. */
  left(kind: Rate, key: number | undefined, now: number): number | undefined {
    return this.#rates.of(key)[kind]?.left(now);
  }

  #rate(kind: Rate, key: KeyId): RateGate | undefined {
    const rates = this.#rates.of(key);
    const known = rates[kind];
    if (known !== undefined || this.#limits[kind] === undefined) return known;
    const gate = createRateGate({
      name: () => this.#nameOf(kind),
      unit: kind === 'rpm' ? 'requests' : 'tokens',
      perMinute: () => this.#limits[kind],
    });
    rates[kind] = gate;
    return gate;
  }

  #nameOf(kind: keyof Limits): string {
    return this.#whose.replace('*', `${kind} limit of ${this.#limits[kind]}`);
  }
}

function isSame(a: Limits, b: Limits): boolean {
  return a.concurrency === b.concurrency && a.rpm === b.rpm && a.tpm === b.tpm;
}

function isLimited({ concurrency, rpm, tpm }: Limits): boolean {
  return concurrency !== undefined || rpm !== undefined || tpm !== undefined;
}

/** All limits that are configured, by their owners. */
export class ConfiguredLimits {
  readonly #providers = new Map<string, OwnedLimits>();
  readonly #tiers = new Map<string, OwnedLimits>();
  /** By tier, then by target. */
  readonly #targets = new Map<string, Map<string, OwnedLimits>>();
  #current: ResolvedConfig | undefined;

  /** Applies a configuration. An owner without a limit still counts, in case it gets one again. */
  configure(config: ResolvedConfig, now: number): void {
    this.#current = config;
    for (const [name, owned] of this.#providers) {
      owned.change(own(config.providerLimits, name) ?? noLimits, now);
    }
    for (const tier of config.tiers.values()) {
      this.#tiers.get(tier.name)?.change(tier.limits, now);
      // A target that is listed twice is tried by its first entry.
      const targets = new Map(
        targetsOf(tier)
          .toReversed()
          .map((target) => [target.id, target]),
      );
      for (const target of targets.values()) this.#ofTarget(target).change(target.limits, now);
    }
  }

  /** Removes the counts of owners that no configuration in use names. */
  prune(names: ConfiguredNames): void {
    for (const tier of this.#tiers.keys()) if (!names.tiers.has(tier)) this.#tiers.delete(tier);
    for (const [tier, targets] of this.#targets) {
      const kept = names.tiers.get(tier);
      for (const target of targets.keys()) if (!kept?.has(target)) targets.delete(target);
      if (targets.size === 0) this.#targets.delete(tier);
    }
  }

  /**
   * The gates that a call of `tier` passes on its way to `target`. Tiers that set the same limits for a target share
   * them: the target counts against each of theirs. So do removed tiers that still have calls in flight: a tier may have
   * been renamed.
   */
  gates(config: ResolvedConfig, tier: string, target: ResolvedTarget, key: KeyId): readonly Gate[] {
    const { provider, id } = target;
    const ofTarget = this.#ofTarget(target);
    const sharing = [...this.#targets.values()].flatMap((targets) => {
      const other = targets.get(id);
      if (other === undefined || other === ofTarget || !isLimited(ofTarget.limits)) return [];
      return isSame(other.limits, ofTarget.limits) ? [other] : [];
    });
    return [
      ...this.#ofProvider(provider).gates(key),
      ...this.#ofTier(tier, config).gates(undefined),
      ...[ofTarget, ...sharing].flatMap((each) => each.gates(key)),
    ];
  }

  /** What is left of the target's own limit within this minute; `undefined` without one. */
  left({ tier, id, key }: ResolvedTarget, kind: Rate, now: number): number | undefined {
    return this.#targets.get(tier)?.get(id)?.left(kind, key, now);
  }

  #ofProvider(name: string): OwnedLimits {
    const known = this.#providers.get(name);
    if (known !== undefined) return known;
    const { providerLimits = {} } = this.#current ?? {};
    const limits = own(providerLimits, name) ?? noLimits;
    const made = new OwnedLimits(`the * of provider "${name}"`, limits);
    this.#providers.set(name, made);
    return made;
  }

  #ofTier(name: string, config: ResolvedConfig): OwnedLimits {
    const known = this.#tiers.get(name);
    if (known !== undefined) return known;
    // A call that is in flight may be of a tier that is not configured any more.
    const tier = this.#current?.tiers.get(name) ?? config.tiers.get(name);
    const limits = tier?.limits ?? noLimits;
    const made = new OwnedLimits(`the * of tier "${name}"`, limits);
    this.#tiers.set(name, made);
    return made;
  }

  #ofTarget({ tier, id, limits }: ResolvedTarget): OwnedLimits {
    let targets = this.#targets.get(tier);
    if (targets === undefined) {
      targets = new Map();
      this.#targets.set(tier, targets);
    }
    const known = targets.get(id);
    if (known !== undefined) return known;
    const made = new OwnedLimits('its *', limits);
    targets.set(id, made);
    return made;
  }
}
