import type { Priority } from '../protocol/call-options.ts';
import type { Runtime } from '../protocol/runtime.ts';
import type { Departure, Gate, Load, Pass } from './gate.ts';

/** An attempt that all its gates let through. Call `leave` once; a second call does nothing. */
export interface Admission {
  leave(departure: Departure): void;
  /** Checks again which attempts may pass, because a gate has learned something. */
  review(): void;
  /** The pass through that gate. */
  pass<Kind extends Pass>(gate: { enter(load: Load, now: number): Kind }): Kind | undefined;
}

/** How many attempts may wait under a name. */
export type Bound = { readonly key: string; readonly max: number };

export type QueueRequest = {
  readonly gates: readonly Gate[];
  readonly load: Load;
  readonly priority: Priority;
  /** Epoch milliseconds at which the call started: of equal priority, the older call goes first. */
  readonly since: number;
  /** Epoch milliseconds at which the call times out: its signal aborts then. */
  readonly deadline: number;
  /** Epoch milliseconds after which it no longer waits; may be infinite. */
  readonly expiresAt: number;
  readonly bounds: readonly Bound[];
  readonly signal: AbortSignal;
};

/** Why an attempt was not let through. */
export class QueueRejection extends Error {
  readonly reason: 'full' | 'too-late' | 'expired';
  /** The gate that it waited for. */
  readonly gate: string;
  /** The remaining wait, estimated, in milliseconds. */
  readonly waitMs: number;
  /** The queue that is full, and how many may wait in it. */
  readonly bound: Bound | undefined;

  constructor(reason: QueueRejection['reason'], gate: string, waitMs: number, bound?: Bound) {
    super(`${reason}: ${gate}`);
    this.reason = reason;
    this.gate = gate;
    this.waitMs = waitMs;
    this.bound = bound;
  }
}

export interface AdmissionQueue {
  /** Lets an attempt through if all gates are open and no other attempt waits for them; otherwise `undefined`. */
  pass(gates: readonly Gate[], load: Load): Admission | undefined;
  /**
   * The same, but waits for its turn. Rejects with a {@link QueueRejection}, or with the signal's reason as soon as it
   * aborts.
   */
  enter(request: QueueRequest): Admission | Promise<Admission>;
  /** How long an attempt would wait now, and for which gate; `undefined` when it would not. Changes nothing. */
  forecast(
    gates: readonly Gate[],
    load: Load,
  ): { readonly waitMs: number; readonly gate: string } | undefined;
  /** How many attempts wait under that name. */
  waiting(key: string): number;
  /** Checks again which attempts may pass, because a limit has changed. */
  review(): void;
}

const ranks = { high: 0, normal: 1, low: 2 } as const satisfies Record<Priority, number>;

type Ticket = QueueRequest & {
  /** The gate that it waits for. */
  gate: Gate | undefined;
  readonly admit: (admission: Admission) => void;
  readonly reject: (reason: unknown) => void;
};

/** What an attempt needs to pass. */
type Passage = Pick<QueueRequest, 'gates' | 'load'>;

type Closed = { readonly gate: Gate; readonly at: number };

const rearmed = new Error('the timer was set again');

function comesBefore(a: QueueRequest, b: QueueRequest): boolean {
  const rank = ranks[a.priority] - ranks[b.priority];
  return rank === 0 ? a.since < b.since : rank < 0;
}

/** The queue as an admitted attempt sees it. */
type Queue = {
  now(): number;
  /** Lets through every attempt that may pass now. */
  pump(): void;
  /** The same, if any attempt waits. */
  pumpIfNeeded(): void;
};

class Passed implements Admission {
  readonly #queue: Queue;
  readonly #gates: readonly Gate[];
  readonly #passes: readonly Pass[];
  #hasLeft = false;

  constructor(queue: Queue, gates: readonly Gate[], load: Load) {
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
 * One queue for all gates. An attempt that waits for a gate holds back later ones that need the same gate, so that small
 * requests do not overtake a large one forever; it holds back no others. Higher priority goes first, then the older call.
 */
export function createAdmissionQueue(runtime: Runtime): AdmissionQueue {
  const tickets: Ticket[] = [];
  /** Gates that an attempt waits for. */
  let held = new Set<Gate>();
  let timer: { readonly at: number; readonly stop: AbortController } | undefined;

  const queue: Queue = {
    now: () => runtime.now(),
    pump,
    pumpIfNeeded() {
      if (tickets.length > 0 || held.size > 0 || timer !== undefined) pump();
    },
  };

  function passThrough({ gates, load }: Passage): Admission {
    return new Passed(queue, gates, load);
  }

  /** The gate with the longest wait, of those that are closed to it or that another attempt waits for. */
  function closedGate(
    { gates, load }: Passage,
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

  /** How long it would wait after those tickets. */
  function estimateMs({ gates, load }: Passage, ahead: readonly Ticket[], now: number): number {
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

  function expire(ticket: Ticket): void {
    remove(ticket);
    ticket.reject(new QueueRejection('expired', ticket.gate?.name ?? 'a limit', 0));
  }

  /** Lets through every attempt that may pass now, in order, and sleeps until the next one may. */
  function pump(): void {
    const now = runtime.now();
    const before = new Set<Gate>();
    let next = Number.POSITIVE_INFINITY;
    for (const ticket of [...tickets]) {
      if (ticket.expiresAt <= now) {
        expire(ticket);
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

  /** Rejects the newest attempt of the lowest priority where too many wait; it may be the one that just came. */
  function rejectOverflow({ bounds }: Ticket): void {
    for (const bound of bounds) {
      const waiting = tickets.filter((each) => each.bounds.some(({ key }) => key === bound.key));
      const last = waiting.at(-1);
      if (waiting.length <= bound.max || last === undefined) continue;
      remove(last);
      const waitMs = Math.ceil(estimateMs(last, waiting.slice(0, -1), runtime.now()));
      last.reject(new QueueRejection('full', last.gate?.name ?? 'a limit', waitMs, bound));
    }
  }

  function wait(request: QueueRequest): Promise<Admission> {
    const { promise, resolve, reject } = Promise.withResolvers<Admission>();
    const leave = (): void => {
      remove(ticket);
      reject(request.signal.reason);
      pump();
    };
    const quiet = (): void => request.signal.removeEventListener('abort', leave);
    const ticket: Ticket = {
      ...request,
      gate: undefined,
      admit(admission) {
        quiet();
        resolve(admission);
      },
      reject(reason) {
        quiet();
        reject(reason);
      },
    };
    request.signal.addEventListener('abort', leave, { once: true });
    const at = tickets.findLastIndex((each) => !comesBefore(ticket, each)) + 1;
    tickets.splice(at, 0, ticket);
    pump();
    rejectOverflow(ticket);
    return promise;
  }

  return {
    pass(gates, load) {
      const passage = { gates, load };
      return closedGate(passage, held, runtime.now()) === undefined
        ? passThrough(passage)
        : undefined;
    },
    enter(request) {
      if (request.signal.aborted) return Promise.reject(request.signal.reason);
      const now = runtime.now();
      const closed = closedGate(request, held, now);
      if (closed === undefined) return passThrough(request);
      const ahead = tickets.filter((each) => !comesBefore(request, each));
      const waitMs = Math.ceil(estimateMs(request, ahead, now));
      if (now + waitMs >= Math.min(request.deadline, request.expiresAt)) {
        return Promise.reject(new QueueRejection('too-late', closed.gate.name, waitMs));
      }
      return wait(request);
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
