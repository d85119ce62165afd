import { SignalboxError } from '../../errors.ts';
import { untilAborted } from '../../internal/until-aborted.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import type { Call } from '../core/engine.ts';
import type { CallParts } from './running-call.ts';

/** Runs a call for all who share it. */
type Start = (call: Call) => CallParts;

/** One request under way, and those who wait for it. */
type Flight = {
  readonly parts: StreamPart[];
  readonly leaving: AbortController;
  members: number;
  isOver: boolean;
  error?: unknown;
  /** Settles when there is something new; then there is another one. */
  news: PromiseWithResolvers<void>;
};

/** Lets identical calls that are under way at the same time share one request. */
export interface SingleFlight {
  /**
   * The parts of the request under `key`: all of them, however late one joins. The last to leave aborts it. A
   * reader who is slow holds nobody up: the parts are kept until the request is over and read.
   */
  join(key: string, call: Call, leaving?: AbortSignal): CallParts;
  /** Requests under way. */
  readonly size: number;
}

/** Two values of the caller's code are the same when they are one and the same. */
function createIdentities() {
  const known = new WeakMap<object, string>();
  let count = 0;
  return (value: object): string => {
    const identity = known.get(value) ?? `#${++count}`;
    known.set(value, identity);
    return identity;
  };
}

/** What makes calls identical: all that is asked, by value; functions, schemas and configurations by identity. */
export function createCallKey(): (config: object, asked: unknown) => string {
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
  return (config, asked) => {
    try {
      return `${identityOf(config)} ${JSON.stringify(asked, replace)}`;
    } catch (cause) {
      const message =
        'singleFlight: the messages or options hold something that cannot be compared, such as a circle; see cause';
      throw new SignalboxError('config', message, { cause });
    }
  };
}

/** The part as a caller who joined sees it: the completion has its own tags, and was billed to another call. */
function forJoiner(part: StreamPart, { tags }: Call): StreamPart {
  if (part.type !== 'finish') return part;
  return { ...part, completion: { ...part.completion, tags, shared: true } };
}

function leftAlone(): SignalboxError {
  return new SignalboxError('aborted', 'the last caller left');
}

export function createSingleFlight(start: Start): SingleFlight {
  const flights = new Map<string, Flight>();

  function wake(flight: Flight): void {
    flight.news.resolve();
    flight.news = Promise.withResolvers();
  }

  async function run(key: string, flight: Flight, call: Call): Promise<void> {
    const shared = { ...call, options: { ...call.options, signal: flight.leaving.signal } };
    try {
      const source = start(shared);
      for (let step = await source.next(); step.done !== true; step = await source.next()) {
        flight.parts.push(...step.value);
        wake(flight);
      }
    } catch (error) {
      flight.error = error;
    }
    flight.isOver = true;
    if (flights.get(key) === flight) flights.delete(key);
    wake(flight);
  }

  function begin(key: string, call: Call): Flight {
    const flight: Flight = {
      parts: [],
      leaving: new AbortController(),
      members: 0,
      isOver: false,
      news: Promise.withResolvers(),
    };
    flights.set(key, flight);
    void run(key, flight, call);
    return flight;
  }

  function leave(key: string, flight: Flight): void {
    flight.members -= 1;
    if (flight.members > 0 || flight.isOver) return;
    // Whoever comes now begins anew: this one is lost.
    if (flights.get(key) === flight) flights.delete(key);
    flight.leaving.abort(leftAlone());
  }

  async function* partsOf(
    key: string,
    call: Call,
    leaving: AbortSignal | undefined,
  ): AsyncGenerator<readonly StreamPart[], void> {
    const own = call.options.signal;
    const signal = AbortSignal.any([own, leaving].filter((each) => each !== undefined));
    const known = flights.get(key);
    const flight = known ?? begin(key, call);
    flight.members += 1;
    try {
      let at = 0;
      for (;;) {
        while (at >= flight.parts.length && !flight.isOver) {
          await untilAborted(() => flight.news.promise, signal);
        }
        signal.throwIfAborted();
        const batch = flight.parts.slice(at);
        if (batch.length === 0) {
          if (flight.error !== undefined) throw flight.error;
          return;
        }
        at += batch.length;
        yield known === undefined ? batch : batch.map((part) => forJoiner(part, call));
      }
    } catch (error) {
      if (!own?.aborted) throw error;
      throw new SignalboxError('aborted', "aborted by the caller's signal", {
        cause: own.reason,
      });
    } finally {
      leave(key, flight);
    }
  }

  return {
    get size() {
      return flights.size;
    },
    join(key, call, leaving) {
      const parts = partsOf(key, call, leaving);
      return {
        next: () => parts.next(),
        return: () => parts.return(),
        get isEnded() {
          return call.options.signal?.aborted === true;
        },
      };
    },
  };
}
