import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { exchange } from '../../transport/exchange.ts';

/**
 * {@link exchange} for SDKs that look for credentials before they send anything, which may fail: that is `auth`,
 * with `message` as what to do about it.
 */
export function exchangeWithCredentials(message: string): typeof exchange {
  return async (context, send) => {
    try {
      return await exchange(context, send);
    } catch (cause) {
      context.signal.throwIfAborted();
      if (isSignalboxError(cause)) throw cause;
      throw new SignalboxError('auth', message, { cause });
    }
  };
}

/** The same for a client that the caller made. */
export const exchangeOfClient: typeof exchange = exchangeWithCredentials(
  "the SDK gave up before it sent the request: check the client's credentials",
);
