import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { PluginParts } from '../../protocol/plugin.ts';
import { type Ending, untilEnded } from '../core/scope.ts';
import { createIdentities } from './configured.ts';
import type { Next } from './plugin-layer.ts';

/** One request in flight, and the calls that share it. */
type Flight = {
  readonly key: string;
  readonly parts: PluginParts[number][];
  readonly leaving: AbortController;
  members: number;
  isOver: boolean;
  error?: unknown;
  /** Resolves when the request is over. Never rejects. */
  over: Promise<void>;
  /** Resolves when there is something new, and is replaced. */
  news: PromiseWithResolvers<void>;
};

/**
 * What makes calls identical: the request and the options by value; functions, schemas and configurations by identity.
 * @throws SignalboxError `config` when a value cannot be compared
 */
export function createCallKey(): (config: object, request: unknown) => string {
  const identityOf = createIdentities();
  const replace = (_: string, value: unknown): unknown => {
    if (typeof value === 'function') return identityOf(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
    if (typeof value === 'object' && value !== null && '~standard' in value) {
      return identityOf(value);
    }
    return value;
  };
  return (config, request) => {
    try {
      return `${identityOf(config)} ${JSON.stringify(request, replace)}`;
    } catch (cause) {
      const message =
        'singleFlight: the messages or options hold something that cannot be compared, such as a cycle; see cause';
      throw new SignalboxError('config', message, { cause });
    }
  };
}

/** The part as a joined call sees it: the completion has its own tags, and was billed to another call. */
function forJoined(part: PluginParts[number], tags: Tags): PluginParts[number] {
  if (part.type !== 'finish') return part;
  return { ...part, completion: { ...part.completion, tags, shared: true } };
}

function wake(flight: Flight): void {
  flight.news.resolve();
  flight.news = Promise.withResolvers();
}

/** One call's part in a request that calls share. */
export class Membership {
  readonly #enter: () => Entered;
  readonly #leave: (flight: Flight) => void;
  #flight: Flight;
  /** Whether the request was started by another call. */
  #isJoined: boolean;
  #hasLeft = false;

  constructor(enter: () => Entered, leave: (flight: Flight) => void) {
    this.#enter = enter;
    this.#leave = leave;
    const { flight, isJoined } = enter();
    this.#flight = flight;
    this.#isJoined = isJoined;
  }

  /**
   * The parts of the request: all of them, however late a call joins. A slow reader holds up no other: the parts are kept
   * until the request is over and read.
   */
  async *parts(tags: Tags, end: Ending): AsyncGenerator<PluginParts, void> {
    try {
      let at = 0;
      for (;;) {
        const flight = this.#flight;
        while (at >= flight.parts.length && !flight.isOver) {
          await untilEnded(flight.news.promise, end);
        }
        if (end.reason !== undefined) throw end.reason;
        const batch = flight.parts.slice(at);
        if (batch.length > 0) {
          at += batch.length;
          yield this.#isJoined ? batch.map((part) => forJoined(part, tags)) : batch;
        } else if (at === 0 && this.#isJoined && isEndOfStarter(flight.error)) {
          this.#enterAgain();
        } else if (flight.error !== undefined) throw flight.error;
        else return;
      }
    } finally {
      void this.end();
    }
  }

  /** Leaves. The last to leave aborts the request; resolves when that is over, and at once for the others. */
  async end(): Promise<void> {
    const flight = this.#flight;
    if (!this.#hasLeft) this.#leave(flight);
    this.#hasLeft = true;
    if (flight.members === 0) await flight.over;
  }

  /** The request ended with the call that started it, which this one need not do. */
  #enterAgain(): void {
    this.#leave(this.#flight);
    const { flight, isJoined } = this.#enter();
    this.#flight = flight;
    this.#isJoined = isJoined;
  }
}

type Entered = { readonly flight: Flight; readonly isJoined: boolean };

/**
 * What only the call that started the request has: its abort, which plugins inside may pass on, its budget, what its tags
 * may not do, its deadline.
 */
const ownFailures = ['aborted', 'budget_exceeded', 'policy_blocked'] as const;

function isEndOfStarter(error: unknown): boolean {
  if (isSignalboxError(error, 'timeout')) return error.phase === 'total';
  return ownFailures.some((code) => isSignalboxError(error, code));
}

/** Lets identical calls share one request while it is in flight. It is the innermost layer of calls that want it. */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();

  /** Joins the request under `key`, or starts it. */
  join(key: string, next: Next): Membership {
    const enter = (): Entered => {
      const known = this.#flights.get(key);
      const flight = known ?? this.#start(key, next);
      flight.members += 1;
      return { flight, isJoined: known !== undefined };
    };
    return new Membership(enter, (flight) => this.#leave(flight));
  }

  #start(key: string, next: Next): Flight {
    const flight: Flight = {
      key,
      parts: [],
      leaving: new AbortController(),
      members: 0,
      isOver: false,
      over: Promise.resolve(),
      news: Promise.withResolvers(),
    };
    this.#flights.set(key, flight);
    flight.over = this.#run(flight, next);
    return flight;
  }

  async #run(flight: Flight, next: Next): Promise<void> {
    try {
      for await (const batch of next({ signal: flight.leaving.signal })) {
        flight.parts.push(...batch);
        wake(flight);
      }
    } catch (error) {
      flight.error = error;
    }
    flight.isOver = true;
    this.#forget(flight);
    wake(flight);
  }

  #leave(flight: Flight): void {
    flight.members -= 1;
    if (flight.members > 0) return;
    // A call that comes now starts a new request.
    this.#forget(flight);
    if (!flight.isOver) flight.leaving.abort(new SignalboxError('aborted', 'the last caller left'));
  }

  #forget(flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key);
  }
}
