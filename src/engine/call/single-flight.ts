import { SignalboxError } from '../../errors.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { PluginParts } from '../../protocol/plugin.ts';
import { type Scope, untilEnded } from '../core/scope.ts';
import type { Next } from './plugin-layer.ts';

/** One request in flight, and the calls that share it. */
type Flight = {
  readonly parts: PluginParts[number][];
  readonly leaving: AbortController;
  members: number;
  isOver: boolean;
  error?: unknown;
  /** Resolves when there is something new, and is replaced. */
  news: PromiseWithResolvers<void>;
};

/** A call that may share a request. */
type Member = { readonly key: string; readonly tags: Tags; readonly scope: Scope };

/** Objects are the same when they are identical. */
function createIdentities() {
  const known = new WeakMap<object, string>();
  let count = 0;
  return (value: object): string => {
    const identity = known.get(value) ?? `#${++count}`;
    known.set(value, identity);
    return identity;
  };
}

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

/**
 * Lets identical calls share one request while it is in flight. It is the innermost layer of the calls that want it:
 * shaped as the `wrapCall` of a plugin.
 */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();

  /**
   * The parts of the request under `key`: all of them, however late a call joins. The last to leave aborts it. A slow
   * reader holds up no other: the parts are kept until the request is over and read.
   */
  async *wrapCall({ key, tags, scope }: Member, next: Next): AsyncGenerator<PluginParts, void> {
    const known = this.#flights.get(key);
    const flight = known ?? this.#start(key, next);
    flight.members += 1;
    try {
      let at = 0;
      for (;;) {
        while (at >= flight.parts.length && !flight.isOver) {
          await untilEnded(flight.news.promise, scope);
        }
        if (scope.reason !== undefined) throw scope.reason;
        const batch = flight.parts.slice(at);
        if (batch.length === 0) {
          if (flight.error !== undefined) throw flight.error;
          return;
        }
        at += batch.length;
        yield known === undefined ? batch : batch.map((part) => forJoined(part, tags));
      }
    } finally {
      this.#leave(key, flight);
    }
  }

  #start(key: string, next: Next): Flight {
    const flight: Flight = {
      parts: [],
      leaving: new AbortController(),
      members: 0,
      isOver: false,
      news: Promise.withResolvers(),
    };
    this.#flights.set(key, flight);
    void this.#run(key, flight, next);
    return flight;
  }

  async #run(key: string, flight: Flight, next: Next): Promise<void> {
    try {
      for await (const batch of next({ signal: flight.leaving.signal })) {
        flight.parts.push(...batch);
        wake(flight);
      }
    } catch (error) {
      flight.error = error;
    }
    flight.isOver = true;
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    wake(flight);
  }

  #leave(key: string, flight: Flight): void {
    flight.members -= 1;
    if (flight.members > 0 || flight.isOver) return;
    // A call that comes now starts a new request: this one is given up.
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.leaving.abort(new SignalboxError('aborted', 'the last caller left'));
  }
}
