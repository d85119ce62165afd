import { Pulled, readOn } from '../../src/internal/reads.ts';
import type { ReadyParts } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';

const over = { done: true, value: undefined } as const;

/** Parts told as our adapters tell them: the first is asked for, the others are ready or waited for. */
export class WaitingParts implements AsyncIterableIterator<ProviderPart, void>, ReadyParts {
  readonly #source: AsyncGenerator<ProviderPart, void>;
  readonly #pulled: Pulled<IteratorResult<ProviderPart, void>>;
  #isBegun = false;
  #hasEnded = false;
  #more: Promise<void> | undefined;

  constructor(source: AsyncGenerator<ProviderPart, void>) {
    this.#source = source;
    this.#pulled = new Pulled(() => source.next());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ProviderPart, void>> {
    this.#isBegun = true;
    return this.#hasEnded ? over : readOn(() => this.#pulled.read());
  }

  ready(): ProviderPart | undefined {
    this.#more = undefined;
    if (!this.#isBegun || this.#hasEnded) return undefined;
    try {
      const step = this.#pulled.read();
      if (!(step instanceof Promise)) return this.#partOf(step);
      this.#more = step;
    } catch {
      // Thrown again by the next that is asked for.
    }
    return undefined;
  }

  more(): Promise<void> | undefined {
    return this.#more;
  }

  return(): Promise<IteratorResult<ProviderPart, void>> {
    return this.#source.return();
  }

  #partOf(step: IteratorResult<ProviderPart, void>): ProviderPart | undefined {
    this.#hasEnded = step.done === true;
    return step.done === true ? undefined : step.value;
  }
}
