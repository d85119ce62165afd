import type { Priority } from '../protocol/call-options.ts';
import type { Runtime } from '../protocol/runtime.ts';
import type { Departure, Gate, Load, Pass } from './gate.ts';

/** An attempt that all its gates admitted. Call `leave` once; further calls do nothing. */
export interface Admission {
  leave(departure: Departure): void;
  /** Checks again which attempts may pass, because a gate has changed. */
  review(): void;
  /** The pass of that gate. */
  pass<Kind extends Pass>(gate: { enter(load: Load, now: number): Kind }): Kind | undefined;
}

/** The maximum number of waiting attempts with the same key. */
export type Bound = {
  readonly key: string;
  readonly max: number;
  /** The name of the queue in messages. @default `key` */
  readonly label?: string;
};

export type QueueRequest = {
  readonly gates: readonly Gate[];
  /** The gates it must pass after the limits have changed. */
  readonly renewedGates: () => readonly Gate[];
  readonly load: Load;
  readonly priority: Priority;
  /** Epoch milliseconds at which the call started. With equal priority, the older call goes first. */
  readonly since: number;
  /** Epoch milliseconds at which the call times out. Its signal aborts then. */
  readonly deadline: number;
  /** Epoch milliseconds after which it no longer waits. May be infinite. */
  readonly expiresAt: number;
  readonly bounds: readonly Bound[];
  readonly signal: AbortSignal;
};

/** Why an attempt was not admitted. */
export class QueueRejection extends Error {
  readonly reason: 'full' | 'too-late' | 'expired';
  /** The gate that it waited for. */
  readonly gate: string;
  /** The remaining wait, estimated, in milliseconds. */
  readonly waitMs: number;
  /** The bound that was exceeded, for `full`. */
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
  /** Admits an attempt if all gates are open and no other attempt waits for them. Otherwise returns `undefined`. */
  pass(gates: readonly Gate[], load: Load): Admission | undefined;
  /**
   * The same, but waits in the queue. Rejects with a {@link QueueRejection}, or with the signal's reason when it
   * aborts.
   */
  enter(request: QueueRequest): Admission | Promise<Admission>;
  /** How long an attempt would wait now, and for which gate; `undefined` if it would not wait. Changes nothing. */
  forecast(
    gates: readonly Gate[],
    load: Load,
  ): { readonly waitMs: number; readonly gate: string } | undefined;
  /** How many attempts with that key wait. */
  waiting(key: string): number;
  /** Limits were changed, added or removed: waiting attempts get their new gates, and those that may pass now do. */
  limitsChanged(): void;
}

const ranks = { high: 0, normal: 1, low: 2 } as const satisfies Record<Priority, number>;

type Ticket = Omit<QueueRequest, 'gates'> & {
  gates: readonly Gate[];
  /** The gate that it waits for. */
  gate: Gate | undefined;
  readonly admit: (admission: Admission) => void;
  readonly reject: (reason: unknown) => void;
};

/** The gates that an attempt must pass, and its load. */
type Passage = Pick<QueueRequest, 'gates' | 'load'>;

type ClosedGate = { readonly gate: Gate; readonly at: number };

const timerReset = new Error('the timer was reset');

type InOrder = Pick<QueueRequest, 'priority' | 'since'>;

function comesBefore(a: InOrder, b: InOrder): boolean {
  const rank = ranks[a.priority] - ranks[b.priority];
  return rank === 0 ? a.since < b.since : rank < 0;
}

/** The part of the queue that an admitted attempt uses. */
type Queue = {
  now(): number;
  /** Admits every attempt that may pass now. */
  pump(): void;
  /** The same, unless the queue is empty. */
  pumpIfNeeded(): void;
};

class Admitted implements Admission {
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
 * One queue for all gates. A waiting attempt blocks later attempts that need the same gate, so that small requests do
 * not overtake a large one forever. It blocks no others. Higher priority goes first, then the older call.
 */
export function createAdmissionQueue(runtime: Runtime): AdmissionQueue {
  const tickets: Ticket[] = [];
  /** Gates that a waiting attempt blocks. */
  let blockedGates = new Set<Gate>();
  let timer: { readonly at: number; readonly stop: AbortController } | undefined;

  const queue: Queue = {
    now: () => runtime.now(),
    pump,
    pumpIfNeeded() {
      if (tickets.length > 0 || blockedGates.size > 0 || timer !== undefined) pump();
    },
  };

  function admit({ gates, load }: Passage): Admission {
    return new Admitted(queue, gates, load);
  }

  /** Of the gates that are closed or blocked by another attempt, the one with the longest wait. */
  function closedGate(
    { gates, load }: Passage,
    blocked: ReadonlySet<Gate>,
    now: number,
  ): ClosedGate | undefined {
    let longest: ClosedGate | undefined;
    for (const gate of gates) {
      const at = gate.opensAt(load, now);
      if (at <= now && !blocked.has(gate)) continue;
      if (longest === undefined || at > longest.at) longest = { gate, at };
    }
    return longest;
  }

  /** How long it would wait behind those tickets. */
  function estimateMs({ gates, load }: Passage, ahead: readonly Ticket[], now: number): number {
    const waits = gates.map((gate) => {
      const at = gate.opensAt(load, now);
      const others = ahead.filter((ticket) => ticket.gates.includes(gate));
      const othersMs = others.reduce((sum, ticket) => sum + gate.intervalMs(ticket.load), 0);
      return Number.isFinite(at) ? at - now + othersMs : gate.intervalMs(load) + othersMs;
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

  /** Admits every attempt that may pass now, in order, and sets the timer for the next one. */
  function pump(): void {
    const now = runtime.now();
    const blocked = new Set<Gate>();
    let next = Number.POSITIVE_INFINITY;
    for (const ticket of [...tickets]) {
      if (ticket.expiresAt <= now) {
        expire(ticket);
        continue;
      }
      next = Math.min(next, ticket.expiresAt);
      const blockedGate = ticket.gates.find((gate) => blocked.has(gate));
      const closed = blockedGate === undefined ? closedGate(ticket, blocked, now) : undefined;
      if (blockedGate === undefined && closed === undefined) {
        remove(ticket);
        ticket.admit(admit(ticket));
        continue;
      }
      ticket.gate = blockedGate ?? closed?.gate;
      if (closed !== undefined) {
        next = Math.min(next, closed.at);
        for (const gate of ticket.gates) {
          if (gate === closed.gate || gate.opensAt(ticket.load, now) > now) blocked.add(gate);
        }
      }
    }
    blockedGates = blocked;
    sleepUntil(next, now);
  }

  function sleepUntil(at: number, now: number): void {
    if (timer !== undefined && timer.at === at) return;
    timer?.stop.abort(timerReset);
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

  /** If too many attempts wait, rejects the newest one of the lowest priority, which may be the new one. */
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
    const stopListening = (): void => request.signal.removeEventListener('abort', leave);
    const ticket: Ticket = {
      ...request,
      gate: undefined,
      admit(admission) {
        stopListening();
        resolve(admission);
      },
      reject(reason) {
        stopListening();
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
      return closedGate(passage, blockedGates, runtime.now()) === undefined
        ? admit(passage)
        : undefined;
    },
    enter(request) {
      if (request.signal.aborted) return Promise.reject(request.signal.reason);
      const now = runtime.now();
      const closed = closedGate(request, blockedGates, now);
      if (closed === undefined) return admit(request);
      const ahead = tickets.filter((each) => !comesBefore(request, each));
      const waitMs = Math.ceil(estimateMs(request, ahead, now));
      if (now + waitMs >= Math.min(request.deadline, request.expiresAt)) {
        return Promise.reject(new QueueRejection('too-late', closed.gate.name, waitMs));
      }
      return wait(request);
    },
    forecast(gates, load) {
      const now = runtime.now();
      const closed = closedGate({ gates, load }, blockedGates, now);
      if (closed === undefined) return undefined;
      return {
        waitMs: Math.ceil(estimateMs({ gates, load }, tickets, now)),
        gate: closed.gate.name,
      };
    },
    waiting: (key) =>
      tickets.filter(({ bounds }) => bounds.some((bound) => bound.key === key)).length,
    limitsChanged() {
      for (const ticket of tickets) ticket.gates = ticket.renewedGates();
      queue.pumpIfNeeded();
    },
  };
}
