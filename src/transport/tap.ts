import type { Watch } from '../protocol/provider.ts';
import type { Answer } from './answer.ts';

/** What the guard has to know of an attempt. */
export type Listener = {
  readonly signal: AbortSignal;
  readonly watch: Watch;
  /** Which of the provider's keys, from 0. */
  readonly key: number;
};

/**
 * One attempt's ear on the wire: the guard hands it the vendor's answer. SDKs keep what they were given for a
 * while after their call, so it lets go of everything once it has one.
 *
 * A class without closures: where V8 sees that the literals of some place in the code live on, it puts them among
 * the old objects at once, with all that is stored in them, and the whole call would stay until the next full
 * collection of garbage.
 */
export class Tap {
  /** Whose request it is; `undefined` when the attempt has no use for an answer any more. */
  listener: Listener | undefined;
  #settle: PromiseWithResolvers<Answer> | undefined;

  constructor(listener: Listener) {
    this.listener = listener;
  }

  /** Waits for the answer, which may be on its way already. */
  wait(): Promise<Answer> {
    this.#settle = Promise.withResolvers();
    return this.#settle.promise;
  }

  /** Takes the vendor's answer, or why there is none. */
  take(answer: Promise<Answer>): void {
    const settle = this.#settle;
    this.#letGo();
    settle?.resolve(answer);
  }

  /** There will be no answer. Does nothing once there is one. */
  fail(reason: unknown): void {
    const settle = this.#settle;
    this.#letGo();
    settle?.reject(reason);
  }

  #letGo(): void {
    this.listener = undefined;
    this.#settle = undefined;
  }
}
