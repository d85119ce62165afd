import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { ConfigSource, Following } from '../../protocol/config-source.ts';
import type { Runtime } from '../../protocol/runtime.ts';

/** What a source delivers to. */
export type Follower = {
  readonly runtime: Runtime;
  /** @throws SignalboxError `config` when the document is invalid */
  apply(document: unknown): void;
  /** A document after the first is invalid or could not be read. */
  reject(error: SignalboxError): void;
  /** Nothing is delivered from now on. */
  stopped(): void;
};

/** The error of a source in our form. */
function configErrorOf(thrown: unknown, source: string): SignalboxError {
  if (isSignalboxError(thrown)) return thrown;
  const message = `the configuration of ${source} could not be read; see cause`;
  return new SignalboxError('config', message, { cause: thrown });
}

/** One run of a source, from the first document to `stop`. */
class SourceRun implements Following {
  readonly #source: ConfigSource;
  readonly #follower: Follower;
  readonly #controller = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  #isFirst = true;
  /** A failure that repeats is reported once. */
  #lastFailure: string | undefined;

  constructor(source: ConfigSource, follower: Follower) {
    this.#source = source;
    this.#follower = follower;
    // Later, so that the source cannot stop a run that has no `ended` yet.
    this.#ended = Promise.resolve().then(() => this.#run());
  }

  /** Resolves when the first document is in force. */
  get started(): Promise<void> {
    return this.#first.promise;
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    this.#first.reject(new SignalboxError('closed', 'the router stopped following the source'));
    this.#follower.stopped();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { runtime } = this.#follower;
    try {
      await this.#source.run({
        signal: this.#controller.signal,
        runtime,
        deliver: (document) => this.#deliver(document),
        fail: (error) => this.#fail(error),
      });
      const message = `${this.#source.name} delivered no configuration`;
      this.#first.reject(new SignalboxError('config', message));
    } catch (error) {
      this.#fail(error);
    }
  }

  #deliver(document: unknown): void {
    if (this.#controller.signal.aborted) return;
    try {
      this.#follower.apply(document);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#lastFailure = undefined;
    this.#isFirst = false;
    this.#first.resolve();
  }

  #fail(thrown: unknown): void {
    if (this.#controller.signal.aborted) return;
    const error = configErrorOf(thrown, this.#source.name);
    if (this.#isFirst) this.#first.reject(error);
    else if (error.message !== this.#lastFailure) this.#follower.reject(error);
    this.#lastFailure = error.message;
  }
}

/** Starts a source. `started` rejects when its first document is invalid or cannot be read. */
export function followSource(
  source: ConfigSource,
  follower: Follower,
): Following & { readonly started: Promise<void> } {
  return new SourceRun(source, follower);
}
