import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { Provider } from '../../protocol/provider.ts';

/** Loads the vendors' SDKs, each once. */
export interface Loading {
  /**
   * Loads the SDK of that provider; `undefined` once it is loaded. After a failure the next attempt tries again.
   * @throws SignalboxError `config`
   */
  load(provider: string): Promise<void> | undefined;
}

async function preload(name: string, provider: Provider | undefined): Promise<void> {
  try {
    await provider?.preload();
  } catch (cause) {
    if (isSignalboxError(cause)) throw cause;
    const message = `provider "${name}" could not be loaded; see cause`;
    throw new SignalboxError('config', message, { cause });
  }
}

export function createLoading(providers: ReadonlyMap<string, Provider>): Loading {
  const loaded = new Set<string>();
  const underWay = new Map<string, Promise<void>>();
  return {
    load(name) {
      if (loaded.has(name)) return undefined;
      const known = underWay.get(name);
      if (known !== undefined) return known;
      const loading = preload(name, providers.get(name)).then(
        () => {
          loaded.add(name);
          underWay.delete(name);
        },
        (error: unknown) => {
          underWay.delete(name);
          throw error;
        },
      );
      underWay.set(name, loading);
      return loading;
    },
  };
}
