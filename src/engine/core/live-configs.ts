import type { ResolvedConfig } from '../../config/resolve.ts';

/** What configurations name. State that is kept under another name is of no use any more. */
export type ConfiguredNames = {
  /** The targets of each tier. */
  readonly tiers: ReadonlyMap<string, ReadonlySet<string>>;
  /** The targets of all tiers. */
  readonly targets: ReadonlySet<string>;
};

/** The configurations in use: the current one, and older ones that calls in flight were opened under. */
export interface LiveConfigs {
  /** From now on this one is current. */
  configure(config: ResolvedConfig): void;
  /** A call under it has begun. */
  retain(config: ResolvedConfig): void;
  /** A call under it has ended. */
  release(config: ResolvedConfig): void;
}

function namesIn(configs: Iterable<ResolvedConfig>): ConfiguredNames {
  const tiers = new Map<string, Set<string>>();
  const targets = new Set<string>();
  for (const config of configs) {
    for (const tier of config.tiers.values()) {
      const own = tiers.get(tier.name) ?? new Set();
      tiers.set(tier.name, own);
      for (const { id } of tier.targets) {
        own.add(id);
        targets.add(id);
      }
    }
  }
  return { tiers, targets };
}

/** `prune` is told what is still named as soon as something may not be. */
export function createLiveConfigs(prune: (names: ConfiguredNames) => void): LiveConfigs {
  let current: ResolvedConfig | undefined;
  /** How many calls are in flight under each. */
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
