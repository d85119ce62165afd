/**
 * What a read gives: something, or a promise after which to read again. It never rejects, and does not say that there
 * is anything by then: what broke is thrown by the read. So all who pass a read on share the one promise of the
 * source, where a promise of the thing itself would take one more for each of them.
 */
export type Read<Value> = Value | Promise<void>;

/** Reads until there is something. @throws whatever the read does */
export async function readOn<Value>(read: () => Read<Value>): Promise<Value> {
  for (;;) {
    const value = read();
    if (!(value instanceof Promise)) return value;
    await value;
  }
}

/** Makes such reads of a source that gives promises. */
export class Pulled<Value> {
  readonly #pull: () => Promise<Value>;
  #come: { readonly value: Value } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(pull: () => Promise<Value>) {
    this.#pull = pull;
  }

  /** The next value. Once the source has failed it is not pulled again. @throws what it failed with */
  read(): Read<Value> {
    const come = this.#come;
    this.#come = undefined;
    if (come !== undefined) return come.value;
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#waiting !== undefined) return this.#waiting.promise;
    this.#waiting = Promise.withResolvers();
    this.#pull().then(
      (value) => {
        this.#come = { value };
        this.#wake();
      },
      (error: unknown) => {
        this.#failure = { error };
        this.#wake();
      },
    );
    return this.#waiting.promise;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }
}
