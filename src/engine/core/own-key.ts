import { SignalboxError } from '../../errors.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { CallKey, Provider } from '../../protocol/provider.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { type Scope, setAlarm } from './scope.ts';
import type { ProviderState } from './target-registry.ts';

/** What the provider answered, for the next attempt. */
type Found =
  | { readonly key: CallKey; readonly error?: undefined }
  | { readonly key?: undefined; readonly error: unknown };

/** How long to wait for a key. */
export type KeyWait = {
  readonly runtime: Runtime;
  readonly scope: Pick<Scope, 'reason' | 'listen' | 'unlisten'>;
  readonly connectMs: number;
};

/** The provider may be the user's own. */
function foundIn(key: unknown): Found {
  const isKey = typeof key === 'object' && key !== null && 'fingerprint' in key;
  if (isKey && typeof key.fingerprint === 'string') return { key: key as CallKey };
  throw new SignalboxError('config', 'keyFor() of the provider must return a key with fingerprint');
}

/**
 * The key of one call at one target, where it depends on the call's tags. The plan looks at its fingerprint; each attempt
 * takes one key, the first attempt the one that the plan looked at.
 */
export class OwnKey {
  readonly #ask: () => CallKey | Promise<CallKey>;
  readonly #provider: ProviderState;
  #fingerprint: string | undefined;
  #found: Found | undefined;
  #asking: Promise<Found> | undefined;
  #wasAsked = false;

  constructor(
    keyFor: NonNullable<Provider['keyFor']>,
    tags: Tags,
    /** What is known of the provider. */
    provider: ProviderState,
  ) {
    this.#ask = () => keyFor(tags);
    this.#provider = provider;
  }

  /**
   * The latest fingerprint. `undefined` before an asynchronous function has returned: the target counts as available until
   * its turn, because looking up the keys of targets that are never tried costs time.
   */
  get fingerprint(): string | undefined {
    if (!this.#wasAsked && !this.#provider.hasSlowKeys) this.#start();
    return this.#fingerprint;
  }

  /**
   * Gets a key for the next attempt, unless there is one. Never rejects: a failure, a wait of more than `connectMs` and the
   * end of the call are thrown by {@link take}. `undefined` when there is nothing to wait for.
   */
  prepare(wait: KeyWait): Promise<void> | undefined {
    if (this.#found !== undefined) return undefined;
    if (this.#asking === undefined) this.#start();
    return this.#asking === undefined ? undefined : this.#wait(this.#asking, wait);
  }

  /** The key for one attempt. @throws SignalboxError why there is none */
  take(): CallKey {
    const found = this.#found;
    this.#found = undefined;
    if (found === undefined) throw new Error('the key was not prepared');
    if (found.key === undefined) throw found.error;
    return found.key;
  }

  #start(): void {
    this.#wasAsked = true;
    try {
      const key = this.#ask();
      if (key instanceof Promise) {
        this.#provider.hasSlowKeys = true;
        this.#asking = key.then(foundIn).catch((error: unknown) => ({ error }));
      } else this.#keep(foundIn(key));
    } catch (error) {
      this.#keep({ error });
    }
  }

  #keep(found: Found): void {
    this.#found = found;
    if (found.key !== undefined) this.#fingerprint = found.key.fingerprint;
  }

  async #wait(asking: Promise<Found>, { runtime, scope, connectMs }: KeyWait): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<Found>();
    const end = (): void => resolve({ error: scope.reason });
    const late = new SignalboxError(
      'timeout',
      `the function for the key did not return within ${connectMs} ms (connectMs)`,
      { phase: 'connect' },
    );
    const stopAlarm = setAlarm(runtime, connectMs, () => resolve({ error: late }));
    if (scope.reason === undefined) scope.listen(end);
    else end();
    this.#keep(await Promise.race([asking, ended]));
    this.#asking = undefined;
    stopAlarm();
    scope.unlisten(end);
  }
}
