import type { Watch } from '../protocol/provider.ts';
import type { Answer } from './body/response.ts';
import { HeadersOfAnswer, type SentRequest } from './sent-credentials.ts';

/** What the guard has to know of an attempt. */
export type Listener = {
  readonly signal: AbortSignal;
  readonly watch: Watch;
  /** Which of the provider's keys, from 0. */
  readonly key: number;
};

/** Carries a request to the vendor. */
export interface Carrier {
  /** Closes the connection: the attempt is over. */
  cut(reason: unknown): void;
}

/**
 * One attempt's ear on the wire: the guard hands it the vendor's answer. SDKs keep what they were given for a
 * while after their call, so it lets go of everything once it has no more use for it.
 *
 * A class whose one closure holds nothing else: where V8 sees that the literals of some place in the code live on,
 * it puts them among the old objects at once, with all that is stored in them, and the whole call would stay until
 * the next full collection of garbage.
 */
export class Tap {
  #listener: Listener | undefined;
  #isTaken = false;
  #settle: PromiseWithResolvers<Answer> | undefined;
  #carrier: Carrier | undefined;
  #sent: SentRequest | undefined;
  /** A function: Node keeps a listener that is an object until the next full collection of garbage. */
  readonly #onAbort = (): void => this.#abort();

  constructor(listener: Listener) {
    this.#listener = listener;
    listener.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Waits for the answer; to be called before anything is sent. */
  wait(): Promise<Answer> {
    this.#settle = Promise.withResolvers();
    return this.#settle.promise;
  }

  /** Whether the request has not gone out yet, and still may. */
  get isWaiting(): boolean {
    return this.#listener !== undefined && !this.#isTaken;
  }

  /** The request goes out; says whose it is. @throws Error when the attempt has ended */
  take(): Listener {
    if (this.#listener === undefined) throw new Error('the attempt has ended');
    this.#isTaken = true;
    return this.#listener;
  }

  /** What goes out, so that it is known in the answer. */
  sends(sent: SentRequest): void {
    this.#sent = sent;
  }

  /** Who is to be told when the attempt is given up, until {@link Tap.close}. */
  carriedBy(carrier: Carrier): void {
    this.#carrier = carrier;
  }

  /** The request is on a socket. */
  connected(): void {
    this.#listener?.watch.connected();
  }

  /** The vendor's answer has begun; one that comes too late is not read, and its connection closed. */
  answered(answer: Answer): void {
    if (this.#settle === undefined) answer.body.cancel();
    const sent = this.#sent;
    this.#settle?.resolve(
      sent === undefined
        ? answer
        : { ...answer, headers: new HeadersOfAnswer(answer.headers, sent) },
    );
    this.#settle = undefined;
    this.#sent = undefined;
  }

  /** There will be no answer. Does nothing once there is one. */
  fail(reason: unknown): void {
    const settle = this.#settle;
    this.close();
    settle?.reject(reason);
  }

  /** Nothing more comes: lets go of the attempt. */
  close(): void {
    this.#listener?.signal.removeEventListener('abort', this.#onAbort);
    this.#listener = undefined;
    this.#settle = undefined;
    this.#sent = undefined;
    this.#carrier = undefined;
  }

  #abort(): void {
    const reason: unknown = this.#listener?.signal.reason;
    if (this.#carrier === undefined) this.fail(reason);
    else this.#carrier.cut(reason);
  }
}
