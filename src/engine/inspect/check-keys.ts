import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { Engine } from '../core/engine.ts';

/** The first key of the provider that is missing, as its error. */
function missingKey(provider: Provider): SignalboxError | undefined {
  for (let key = 0; key < (provider.keyCount ?? 1); key += 1) {
    try {
      provider.keySource?.(key);
    } catch (error) {
      if (!isSignalboxError(error)) throw error;
      return error;
    }
  }
  return undefined;
}

/** @throws SignalboxError `auth` that lists every provider without a key */
export function checkKeys({ providers }: Engine): void {
  const missing = [...providers].flatMap(([name, provider]) => {
    const error = missingKey(provider);
    return error === undefined ? [] : [`provider "${name}": ${error.message}`];
  });
  if (missing.length > 0) throw new SignalboxError('auth', missing.join('\n'));
}
