import { configError } from '../../config/problems.ts';
import { once } from '../../internal/once.ts';
import type { Runtime } from '../../protocol/runtime.ts';

type Croner = Pick<typeof import('croner'), 'Cron'>;

/** Required instead of imported, so that an expression is checked at once. */
const loadCroner = once((): { readonly croner?: Croner } => {
  const { createRequire } = process.getBuiltinModule('node:module');
  try {
    return { croner: createRequire(import.meta.url)('croner') as Croner };
  } catch {
    return {};
  }
});

/** When runs are due. */
export type Schedule = {
  /** The first time after `at`, epoch milliseconds. `undefined` if there is none. */
  readonly next: (at: number) => number | undefined;
};

/**
 * Parses a cron expression. Loads the package `croner`, which computes times and nothing else: waiting is up to the caller.
 * @throws SignalboxError `config` for an expression or a time zone that is not valid
 */
export function parseSchedule(
  expression: string,
  timeZone: string | undefined,
  load = loadCroner,
): Schedule {
  const problem = (path: string, message: string): Error =>
    configError([{ path: [path], message }], 'evals');
  if (typeof expression !== 'string') throw problem('schedule', 'must be a cron expression');
  const { croner } = load();
  if (croner === undefined) {
    const message = 'needs the package "croner", which is not installed; install it: npm i croner';
    throw problem('schedule', message);
  }
  if (timeZone !== undefined) {
    try {
      new Intl.DateTimeFormat('en', { timeZone });
    } catch {
      throw problem('timeZone', 'must be the name of a time zone, such as Europe/Berlin');
    }
  }
  try {
    const zone = timeZone === undefined ? {} : { timezone: timeZone };
    // Without a function it has no timer.
    const cron = new croner.Cron(expression, zone);
    return { next: (at) => cron.nextRun(new Date(at))?.getTime() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it cannot be parsed';
    throw problem('schedule', `must be a cron expression, such as "0 3 * * 1": ${reason}`);
  }
}

/** Runs something at the times of a schedule, one after the other, until it is stopped. */
export class Scheduler {
  readonly #schedule: Schedule;
  readonly #runtime: Runtime;
  #stop: AbortController | undefined;
  #over: Promise<void> = Promise.resolve();
  #nextAt: number | undefined;

  constructor(schedule: Schedule, runtime: Runtime) {
    this.#schedule = schedule;
    this.#runtime = runtime;
  }

  /** When it runs next, epoch milliseconds. `undefined` while it is stopped, and after the last time. */
  get nextAt(): number | undefined {
    return this.#nextAt;
  }

  /**
   * Starts it, unless it is started.
   * @param since Epoch milliseconds. It runs at once if a time has passed since then: it was missed.
   * @param work Reports its failures itself. Returns whether to go on.
   */
  start(since: number | 'at-once', work: (signal: AbortSignal) => Promise<'go-on' | 'end'>): void {
    if (this.#stop !== undefined) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#nextAt = since === 'at-once' ? this.#runtime.now() : this.#schedule.next(since);
    this.#over = this.#loop(work, stop.signal).finally(() => {
      this.#nextAt = undefined;
      if (this.#stop === stop) this.#stop = undefined;
    });
  }

  /** Aborts what runs, and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stop?.abort();
    await this.#over;
  }

  async #loop(
    work: (signal: AbortSignal) => Promise<'go-on' | 'end'>,
    signal: AbortSignal,
  ): Promise<void> {
    while (this.#nextAt !== undefined) {
      const at = this.#nextAt;
      try {
        await this.#runtime.sleep(Math.max(0, at - this.#runtime.now()), signal);
      } catch {
        return;
      }
      if ((await work(signal)) === 'end' || signal.aborted) return;
      // Timers may be a little early. Times that passed meanwhile are not made up for one by one.
      this.#nextAt = this.#schedule.next(Math.max(at, this.#runtime.now()));
    }
  }
}
