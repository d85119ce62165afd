import { isSignalboxError, SignalboxError } from '../errors.ts';
import type { AttemptContext, CallKey, Watch } from '../protocol/provider.ts';
import { type Answer, reportLimits } from './answer.ts';
import { connectionError } from './network-error.ts';
import { type Reply, readReply } from './read-reply.ts';
import { HeadersOfAnswer, type SentRequest } from './sent-credentials.ts';

/** The SDK failed before it sent anything. */
class SdkFailure extends Error {}

/**
 * Makes an SDK send one request, and reads the vendor's response. `send` calls the SDK with the capture it is given;
 * what the SDK returns is ignored, because the guarded fetch captures the response. For SDKs that look up credentials
 * before they send anything, `noCredentials` is the error message when there are none.
 *
 * @throws SignalboxError `connection`, `stream_interrupted` or `invalid_response`; `auth` for an SDK without
 * credentials; the signal's reason when it aborted; and whatever the SDK threw before it sent anything (bad arguments).
 */
export async function exchange(
  context: AttemptContext,
  send: (capture: ResponseCapture) => PromiseLike<unknown>,
  noCredentials?: string,
): Promise<Reply> {
  const { signal, watch, key = 0, callKey, maxAnswerBytes } = context;
  signal.throwIfAborted();
  const capture = new ResponseCapture({ signal, watch, key, callKey });
  let answer: Answer | undefined;
  try {
    answer = await captureAnswer(send, capture);
    reportLimits(answer.headers, watch);
    const reply = readReply(answer, watch, maxAnswerBytes);
    return reply instanceof Promise ? await reply : reply;
  } catch (error) {
    // An abort can surface as any network error.
    signal.throwIfAborted();
    if (answer !== undefined) throw error;
    if (!(error instanceof SdkFailure)) throw connectionError(error, capture.url);
    const { cause } = error;
    if (isSignalboxError(cause) || noCredentials === undefined) throw cause;
    throw new SignalboxError('auth', noCredentials, { cause });
  }
}

/** Makes the SDK send its request, and waits for the captured response. */
function captureAnswer(
  send: (capture: ResponseCapture) => PromiseLike<unknown>,
  capture: ResponseCapture,
): Promise<Answer> {
  const answer = capture.wait();
  // The outcome of the SDK's call no longer matters once the request is sent.
  const handleFailure = (cause: unknown): void => {
    if (capture.isUnsent) capture.reject(new SdkFailure('', { cause }));
  };
  try {
    send(capture).then(() => {
      if (capture.isUnsent) capture.reject(fetchNotUsed());
    }, handleFailure);
  } catch (error) {
    handleFailure(error);
  }
  return answer;
}

function fetchNotUsed(): SignalboxError {
  return connectionError(new Error('the SDK returned without using the fetch it was given'));
}

/** What the code that sends a request needs from its attempt. */
export type SendContext = {
  readonly signal: AbortSignal;
  readonly watch: Watch;
  /** Index of the provider's key. */
  readonly key: number;
  /** The key, if it depends on the call's tags. */
  readonly callKey?: CallKey | undefined;
};

/** The connection that carries a request. */
export interface Connection {
  /** Closes the connection because the attempt is over. */
  abort(reason: unknown): void;
}

/**
 * Receives the vendor's response to one attempt's request, in place of the SDK. SDKs keep their request options for a
 * while after a call, so this drops its references as soon as they are no longer needed. It is a class with a single
 * closure that captures nothing else, so that an SDK that keeps it does not keep the whole call in memory.
 */
export class ResponseCapture {
  #context: SendContext | undefined;
  #isStarted = false;
  #settle: PromiseWithResolvers<Answer> | undefined;
  #connection: Connection | undefined;
  #sent: SentRequest | undefined;
  #url: string | undefined;
  /** A function: Node keeps a listener object alive until the next full garbage collection. */
  readonly #onAbort = (): void => this.#abort();

  constructor(context: SendContext) {
    this.#context = context;
    context.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Waits for the response. Call it before sending anything. */
  wait(): Promise<Answer> {
    this.#settle = Promise.withResolvers();
    return this.#settle.promise;
  }

  /** Whether the attempt is still running and its request has not been started. */
  get isUnsent(): boolean {
    return this.#context !== undefined && !this.#isStarted;
  }

  /** Marks the request as started and returns its context. @throws Error when the attempt has ended */
  start(): SendContext {
    if (this.#context === undefined) throw new Error('the attempt has ended');
    this.#isStarted = true;
    return this.#context;
  }

  /** Records what is sent, so that credentials can be recognized when the response repeats them. */
  recordRequest(sent: SentRequest): void {
    this.#sent = sent;
    this.#url = sent.url;
  }

  /** Where the request was sent, also after it failed. */
  get url(): string | undefined {
    return this.#url;
  }

  /** Sets the connection to abort when the attempt's signal aborts before {@link ResponseCapture.release}. */
  setConnection(connection: Connection): void {
    this.#connection = connection;
  }

  /** Reports that the request is on a socket. */
  connected(): void {
    this.#context?.watch.connected();
  }

  /** Resolves {@link ResponseCapture.wait}. A response that comes too late is not read; its connection is closed. */
  resolve(answer: Answer): void {
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

  /** Rejects {@link ResponseCapture.wait}. Does nothing once there is a response. */
  reject(reason: unknown): void {
    const settle = this.#settle;
    this.release();
    settle?.reject(reason);
  }

  /** Drops all references to the attempt, because nothing more will arrive. */
  release(): void {
    this.#context?.signal.removeEventListener('abort', this.#onAbort);
    this.#context = undefined;
    this.#settle = undefined;
    this.#sent = undefined;
    this.#connection = undefined;
  }

  #abort(): void {
    const reason: unknown = this.#context?.signal.reason;
    if (this.#connection === undefined) this.reject(reason);
    else this.#connection.abort(reason);
  }
}
