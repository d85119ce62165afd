import type { Priority } from '../protocol/call-options.ts';
import type { Runtime } from '../protocol/runtime.ts';
import type { Departure, Gate, Load, Pass } from './gate.ts';

/** An attempt let through all its gates. Let it leave once; twice does nothing. */
export interface Admission {
  leave(departure: Departure): void;
  /** Looks again at who may pass: something became known that a gate goes by. */
  review(): void;
  /** The pass through that gate. */
  pass<Kind extends Pass>(gate: { enter(load: Load, now: number): Kind }): Kind | undefined;
}

/** So many may wait under that name. */
export type Bound = { readonly key: string; readonly max: number };

export type Ask = {
  readonly gates: readonly Gate[];
  readonly load: Load;
  readonly priority: Priority;
  /** Epoch milliseconds since which the call is under way: of equals, the older one goes first. */
  readonly since: number;
  /** Epoch milliseconds at which the call ends: its signal aborts then. */
  readonly deadline: number;
  /** Epoch milliseconds at which it is turned away if it still waits; may be infinite. */
  readonly expiresAt: number;
  readonly bounds: readonly Bound[];
  readonly signal: AbortSignal;
};

/** Why it was turned away without having been let through. */
export class QueueRefusal extends Error {
  readonly reason: 'full' | 'too-late' | 'expired';
  /** The name of the gate that it waited for. */
  readonly gate: string;
  /** About how long its turn was away, in milliseconds. */
  readonly waitMs: number;

  constructor(reason: QueueRefusal['reason'], gate: string, waitMs: number) {
    super(`${reason}: ${gate}`);
    this.reason = reason;
    this.gate = gate;
    this.waitMs = waitMs;
  }
}

export interface AdmissionQueue {
  /** Lets an attempt through at once where all gates are open and nobody waits for them; else `undefined`. */
  pass(gates: readonly Gate[], load: Load): Admission | undefined;
  /**
   * Lets an attempt through at once where all gates are open and nobody waits for them; else when its turn
   * comes. Rejects with a {@link QueueRefusal}, or with the signal's reason as soon as it aborts.
   */
  enter(ask: Ask): Admission | Promise<Admission>;
  /** How long one that came now would wait, and for what; `undefined` when it would not. Takes nothing. */
  forecast(
    gates: readonly Gate[],
    load: Load,
  ): { readonly waitMs: number; readonly gate: string } | undefined;
  /** How many wait under that name. */
  waiting(key: string): number;
  /** Looks again at who may pass: a limit has changed. */
  review(): void;
}

const ranks = { high: 0, normal: 1, low: 2 } as const satisfies Record<Priority, number>;

type Ticket = Ask & {
  /** The gate that it waits for. */
  gate: Gate | undefined;
  readonly admit: (admission: Admission) => void;
  readonly refuse: (reason: unknown) => void;
};

/** What an attempt needs to pass. */
type Wish = Pick<Ask, 'gates' | 'load'>;

type Closed = { readonly gate: Gate; readonly at: number };

const rearmed = new Error('the queue has looked again');

function comesBefore(a: Ask, b: Ask): boolean {
  const rank = ranks[a.priority] - ranks[b.priority];
  return rank === 0 ? a.since < b.since : rank < 0;
}

/** What one who was let through needs of the queue. */
type QueueBehind = {
  now(): number;
  /** Lets through whoever may pass now. */
  pump(): void;
  /** The same, where anybody waits. */
  pumpIfNeeded(): void;
};

/** A class, as is all that each call has. */
class Passed implements Admission {
  readonly #queue: QueueBehind;
  readonly #gates: readonly Gate[];
  readonly #passes: readonly Pass[];
  #hasLeft = false;

  constructor(queue: QueueBehind, gates: readonly Gate[], load: Load) {
    const now = queue.now();
    this.#queue = queue;
    this.#gates = gates;
    this.#passes = gates.map((gate) => gate.enter(load, now));
  }

  leave(departure: Departure): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    const at = this.#queue.now();
    for (const pass of this.#passes) pass.leave(departure, at);
    this.#queue.pumpIfNeeded();
  }

  review(): void {
    this.#queue.pump();
  }

  pass<Kind extends Pass>(gate: object): Kind | undefined {
    return this.#passes[(this.#gates as readonly object[]).indexOf(gate)] as Kind | undefined;
  }
}

/**
 * One queue for all gates. Who waits for a gate holds back those behind it who need that gate too, so that
 * none is overtaken by smaller ones for ever, and nobody else. Of high, normal and low priority, the higher
 * goes first; of equals, the older call.
 */
export function createAdmissionQueue(runtime: Runtime): AdmissionQueue {
  const tickets: Ticket[] = [];
  /** Gates that somebody waits for. */
  let held = new Set<Gate>();
  let timer: { readonly at: number; readonly stop: AbortController } | undefined;

  /** Made once for all who are let through. */
  const queue: QueueBehind = {
    now: () => runtime.now(),
    pump,
    pumpIfNeeded() {
      if (tickets.length > 0 || held.size > 0 || timer !== undefined) pump();
    },
  };

  function passThrough({ gates, load }: Wish): Admission {
    return new Passed(queue, gates, load);
  }

  /** The gate that keeps it longest, of those that are closed to it or that somebody waits for. */
  function closedGate(
    { gates, load }: Wish,
    before: ReadonlySet<Gate>,
    now: number,
  ): Closed | undefined {
    let longest: Closed | undefined;
    for (const gate of gates) {
      const at = gate.opensAt(load, now);
      if (at <= now && !before.has(gate)) continue;
      if (longest === undefined || at > longest.at) longest = { gate, at };
    }
    return longest;
  }

  /** How long it would wait behind those tickets. */
  function estimateMs({ gates, load }: Wish, ahead: readonly Ticket[], now: number): number {
    const waits = gates.map((gate) => {
      const at = gate.opensAt(load, now);
      const others = ahead.filter((ticket) => ticket.gates.includes(gate));
      const pacesMs = others.reduce((sum, ticket) => sum + gate.paceMs(ticket.load), 0);
      return Number.isFinite(at) ? at - now + pacesMs : gate.paceMs(load) + pacesMs;
    });
    return Math.max(0, ...waits);
  }

  function remove(ticket: Ticket): void {
    const index = tickets.indexOf(ticket);
    if (index >= 0) tickets.splice(index, 1);
  }

  function refuse(ticket: Ticket, reason: QueueRefusal['reason'], waitMs: number): void {
    remove(ticket);
    ticket.refuse(new QueueRefusal(reason, ticket.gate?.name ?? 'its turn', waitMs));
  }

  /** Lets through whoever may pass now, in their order, and sleeps until the next one may. */
  function pump(): void {
    const now = runtime.now();
    const before = new Set<Gate>();
    let next = Number.POSITIVE_INFINITY;
    for (const ticket of [...tickets]) {
      if (ticket.expiresAt <= now) {
        refuse(ticket, 'expired', 0);
        continue;
      }
      next = Math.min(next, ticket.expiresAt);
      const behind = ticket.gates.find((gate) => before.has(gate));
      const closed = behind === undefined ? closedGate(ticket, before, now) : undefined;
      if (behind === undefined && closed === undefined) {
        remove(ticket);
        ticket.admit(passThrough(ticket));
        continue;
      }
      ticket.gate = behind ?? closed?.gate;
      if (closed !== undefined) {
        next = Math.min(next, closed.at);
        for (const gate of ticket.gates) {
          if (gate === closed.gate || gate.opensAt(ticket.load, now) > now) before.add(gate);
        }
      }
    }
    held = before;
    sleepUntil(next, now);
  }

  function sleepUntil(at: number, now: number): void {
    if (timer !== undefined && timer.at === at) return;
    timer?.stop.abort(rearmed);
    timer = undefined;
    if (!Number.isFinite(at)) return;
    const stop = new AbortController();
    const armed = { at, stop };
    timer = armed;
    runtime.sleep(Math.max(1, at - now), stop.signal).then(
      () => {
        if (timer === armed) timer = undefined;
        pump();
      },
      () => undefined,
    );
  }

  /** Sheds the newest of the lowest priority where too many wait; it may be the one that has just come. */
  function shed({ bounds }: Ticket): void {
    for (const { key, max } of bounds) {
      const under = tickets.filter((each) => each.bounds.some((bound) => bound.key === key));
      const last = under.at(-1);
      if (under.length <= max || last === undefined) continue;
      refuse(last, 'full', Math.ceil(estimateMs(last, under.slice(0, -1), runtime.now())));
    }
  }

  function wait(ask: Ask): Promise<Admission> {
    const { promise, resolve, reject } = Promise.withResolvers<Admission>();
    const leave = (): void => {
      remove(ticket);
      reject(ask.signal.reason);
      pump();
    };
    const quiet = (): void => ask.signal.removeEventListener('abort', leave);
    const ticket: Ticket = {
      ...ask,
      gate: undefined,
      admit(admission) {
        quiet();
        resolve(admission);
      },
      refuse(reason) {
        quiet();
        reject(reason);
      },
    };
    ask.signal.addEventListener('abort', leave, { once: true });
    const at = tickets.findLastIndex((each) => !comesBefore(ticket, each)) + 1;
    tickets.splice(at, 0, ticket);
    pump();
    shed(ticket);
    return promise;
  }

  return {
    pass(gates, load) {
      const wish = { gates, load };
      return closedGate(wish, held, runtime.now()) === undefined ? passThrough(wish) : undefined;
    },
    enter(ask) {
      if (ask.signal.aborted) return Promise.reject(ask.signal.reason);
      const now = runtime.now();
      const closed = closedGate(ask, held, now);
      if (closed === undefined) return passThrough(ask);
      const ahead = tickets.filter((each) => !comesBefore(ask, each));
      const waitMs = Math.ceil(estimateMs(ask, ahead, now));
      if (now + waitMs >= Math.min(ask.deadline, ask.expiresAt)) {
        return Promise.reject(new QueueRefusal('too-late', closed.gate.name, waitMs));
      }
      return wait(ask);
    },
    forecast(gates, load) {
      const now = runtime.now();
      const closed = closedGate({ gates, load }, held, now);
      if (closed === undefined) return undefined;
      return {
        waitMs: Math.ceil(estimateMs({ gates, load }, tickets, now)),
        gate: closed.gate.name,
      };
    },
    waiting: (key) =>
      tickets.filter(({ bounds }) => bounds.some((bound) => bound.key === key)).length,
    review: queue.pumpIfNeeded,
  };
}
