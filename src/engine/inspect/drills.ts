import { type CheckedDrill, checkDrillOptions } from '../../config/drill-options.ts';
import { SignalboxError } from '../../errors.ts';
import type { Drill, DrillOptions, DrillReport } from '../../protocol/drill.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import { planCall } from '../chain/plan-call.ts';
import type { Call, Engine } from '../core/engine.ts';
import { engineUnder } from './drill-engine.ts';
import { spoil } from './drill-fault.ts';
import { drillReport } from './drill-report.ts';
import { createTally } from './drill-tally.ts';

/** The fire drills of a router. */
export interface Drills {
  /**
   * Begins a drill. `sample` is a call of its tier: it says whom such a call would ask.
   * @throws SignalboxError `config` for bad options, `closed` once the router is.
   */
  start(options: DrillOptions, sample: Call): Drill;
  /** The engine to run a new call on: that of the first drill which takes it, or the router's. */
  engineFor(call: Call): Engine;
  /** Ends all drills and refuses new ones. Resolves when their calls are over and their reports made. */
  close(): Promise<void>;
}

/** A drill that takes calls. */
type Running = {
  readonly asked: CheckedDrill;
  readonly engine: Engine;
  readonly stop: Drill['stop'];
};

/** The targets that a call like this asks, healthy or not, in their order. */
function chainOf(engine: Engine, sample: Call): readonly string[] {
  const steps = planCall(engine, sample).steps;
  return [...new Set(steps.flatMap(({ ask, skip }) => ask?.id ?? skip?.target ?? []))];
}

export function createDrills(engine: Engine): Drills {
  const { runtime, emitter } = engine;
  const running = new Set<Running>();
  const reports = new Set<Promise<DrillReport>>();
  let closed = false;

  function takes({ tier, tag = {}, share = 1 }: CheckedDrill, call: Call): boolean {
    if (call.tier.name !== tier) return false;
    if (!Object.entries(tag).every(([name, value]) => call.tags[name] === value)) return false;
    return runtime.random() < share;
  }

  function start(options: DrillOptions, sample: Call): Drill {
    if (closed)
      throw new SignalboxError('closed', 'the router is closed: there is nothing to drill');
    const chain = chainOf(engine, sample);
    const asked = checkDrillOptions(options, chain);
    const id = runtime.createId('drill');
    const failing = new Set(asked.targets ?? chain.slice(0, 1));
    const tally = createTally(id, asked, failing);
    const startedAt = runtime.now();
    const told = (): Pick<
      RouterEvents['drill-start'],
      'at' | 'callId' | 'tier' | 'tags' | 'drill'
    > => ({
      at: runtime.now(),
      callId: null,
      tier: asked.tier,
      tags: sample.tags,
      drill: id,
    });
    const over = new AbortController();
    const entry: Running = {
      asked,
      engine: engineUnder(engine, id, {
        targets: failing,
        spoil: (target, prepared) => {
          if (!failing.has(target)) return prepared;
          return spoil(asked.fault, prepared, { runtime, strike: () => tally.struck(target) });
        },
      }),
      stop() {
        running.delete(entry);
        over.abort();
        return report;
      },
    };

    async function run(): Promise<DrillReport> {
      await runtime.sleep(asked.forMs, over.signal).catch(() => undefined);
      running.delete(entry);
      await tally.settled();
      emitter.off('*', tally.note);
      const endedAt = runtime.now();
      const made = drillReport({ drill: id, asked, chain, failing, tally, startedAt, endedAt });
      const { passed, reasons } = made;
      emitter.emit({ type: 'drill-end', ...told(), passed, reasons });
      reports.delete(report);
      return made;
    }

    emitter.on('*', tally.note);
    running.add(entry);
    const targets = [...failing];
    emitter.emit({ type: 'drill-start', ...told(), fault: asked.fault.type, targets });
    const report = run();
    reports.add(report);
    return { id, report, stop: entry.stop };
  }

  return {
    start,
    engineFor(call) {
      for (const drill of running) if (takes(drill.asked, call)) return drill.engine;
      return engine;
    },
    async close() {
      closed = true;
      for (const drill of running) void drill.stop();
      await Promise.all(reports);
    },
  };
}
