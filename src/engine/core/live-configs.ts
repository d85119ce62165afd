import type { ResolvedConfig } from '../../config/resolve.ts';

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
      for (const { id } of tier.targets) {
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
