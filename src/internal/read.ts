/**
 * The result of a read: a value, or a promise after which to read again. The promise never rejects, and there may still
 * be no value when it resolves; failures are thrown by the read. Layers that pass a read on share the source's one
 * promise, where a promise of the value would add one per layer.
 */
export type Read<Value> = Value | Promise<void>;

/** Reads until there is a value. @throws whatever the read throws */
export async function nextValue<Value>(read: () => Read<Value>): Promise<Value> {
  for (;;) {
    const value = read();
    if (!(value instanceof Promise)) return value;
    await value;
  }
}

/** Makes a {@link Read} from a source that returns promises. */
export class PullReader<Value> {
  readonly #pull: () => Promise<Value>;
  #pulled: { readonly value: Value } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(pull: () => Promise<Value>) {
    this.#pull = pull;
  }

  /** The next value. A source that has failed is not pulled again. @throws the source's error */
  read(): Read<Value> {
    const pulled = this.#pulled;
    this.#pulled = undefined;
    if (pulled !== undefined) return pulled.value;
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#waiting !== undefined) return this.#waiting.promise;
    this.#waiting = Promise.withResolvers();
    this.#pull().then(
      (value) => {
        this.#pulled = { value };
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
