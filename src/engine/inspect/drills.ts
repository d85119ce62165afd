import { type CheckedDrill, checkDrillOptions } from '../../config/drill-options.ts';
import { SignalboxError } from '../../errors.ts';
import { evalTag } from '../../internal/eval-tag.ts';
import { createRetryBudget } from '../../limits/request-budgets.ts';
import type { Drill, DrillOptions, DrillReport } from '../../protocol/drill.ts';
import type { RouterEvent, RouterEvents } from '../../protocol/events.ts';
import type { Plugin } from '../../protocol/plugin.ts';
import type { Drilled } from '../call/start-call.ts';
import { planCall } from '../chain/plan-call.ts';
import type { Call, Engine } from '../core/engine.ts';
import { DrillRegistry, playFault } from './drill-overlay.ts';
import { createTally, drillReport } from './drill-report.ts';

/** The fire drills of a router. */
export interface Drills {
  /**
   * Starts a drill. `sample` is a call of its tier: its plan has the targets.
   * @throws SignalboxError `config` for bad options, `closed` once the router is.
   */
  start(options: DrillOptions, sample: Call): Drill;
  /** How the call runs in the first drill that takes it; `undefined` when none does. */
  drilled(call: Call): Drilled | undefined;
  /** Ends all drills and rejects new ones. Resolves when their calls are over and their reports are made. */
  close(): Promise<void>;
}

/** A drill that takes calls. */
type Running = {
  readonly checked: CheckedDrill;
  readonly run: (call: Call) => Drilled;
  readonly stop: Drill['stop'];
};

/** The targets that such a call would try, healthy or not, in their order. An isolated one gets no requests to fail. */
function chainOf(engine: Engine, sample: Call): readonly string[] {
  const steps = planCall(engine, sample).steps;
  const targets = new Set(steps.flatMap((step) => step.try?.id ?? step.skip?.target ?? []));
  return [...targets].filter((id) => !engine.registry.isolated.has(id));
}

/** The targets that such a call would only try after a failure that the tier's `fallbacks` list. */
function fallbacksOf(engine: Engine, { tier }: Call, chain: readonly string[]): readonly string[] {
  const listed = Object.values(tier.fallbacks ?? {}).flat();
  const targets = new Set(listed.map(({ id }) => id));
  return [...targets].filter((id) => !chain.includes(id) && !engine.registry.isolated.has(id));
}

/**
 * The engine that drilled calls run on: the same code over the same adapters. What its faults would spoil is kept apart
 * from the router's: health and statistics of the failing targets, the retry budget, the tiers' hedges.
 */
function engineOf(engine: Engine, drill: string, failing: ReadonlySet<string>): Engine {
  const { runtime, emitter } = engine;
  return {
    ...engine,
    registry: new DrillRegistry(runtime, engine.registry, failing),
    retryBudget: createRetryBudget(() => runtime.now()),
    emitter: {
      ...emitter,
      emit: (event) => emitter.emit({ ...event, drill } as RouterEvent),
    },
  };
}

export function createDrills(engine: Engine): Drills {
  const { runtime, emitter } = engine;
  const running = new Set<Running>();
  const reports = new Set<Promise<DrillReport>>();
  let closed = false;

  function takes({ tier, tag = {}, share = 1 }: CheckedDrill, call: Call): boolean {
    if (call.called.name !== tier) return false;
    // An evaluation measures targets as they are. A drill for the tag itself is meant.
    if (Object.hasOwn(call.tags, evalTag) && !Object.hasOwn(tag, evalTag)) return false;
    if (!Object.entries(tag).every(([name, value]) => call.tags[name] === value)) return false;
    return runtime.random() < share;
  }

  function start(options: DrillOptions, sample: Call): Drill {
    if (closed) throw new SignalboxError('closed', 'the router is closed: no drill can be started');
    const chain = chainOf(engine, sample);
    const targets = [...chain, ...fallbacksOf(engine, sample, chain)];
    const checked = checkDrillOptions(options, targets);
    const id = runtime.createId('drill');
    const failing = new Set(checked.targets ?? chain.slice(0, 1));
    const tally = createTally(id, checked, failing);
    const startedAt = runtime.now();
    const fields = (): Pick<
      RouterEvents['drill-start'],
      'at' | 'callId' | 'tier' | 'tags' | 'drill'
    > => ({
      at: Math.round(runtime.now()),
      callId: null,
      tier: checked.tier,
      tags: sample.tags,
      drill: id,
    });
    const over = new AbortController();
    const drillEngine = engineOf(engine, id, failing);
    const plugin: Plugin = {
      name: 'fire drill',
      wrapAttempt(attempt, next) {
        const { target } = attempt;
        if (!failing.has(target)) return next();
        return playFault(checked.fault, attempt, next, () => tally.struck(target));
      },
    };
    const entry: Running = {
      checked,
      run: (call) => ({
        engine: drillEngine,
        call: { ...call, drill: id, plugins: [...call.plugins, plugin] },
      }),
      stop() {
        running.delete(entry);
        over.abort();
        return report;
      },
    };

    async function run(): Promise<DrillReport> {
      await runtime.sleep(checked.forMs, over.signal).catch(() => undefined);
      running.delete(entry);
      await tally.settled();
      emitter.off('*', tally.note);
      const endedAt = runtime.now();
      const made = drillReport({
        drill: id,
        checked,
        chain,
        targets,
        failing,
        tally,
        startedAt,
        endedAt,
      });
      const { passed, reasons } = made;
      emitter.emit({ type: 'drill-end', ...fields(), passed, reasons });
      reports.delete(report);
      return made;
    }

    emitter.on('*', tally.note);
    running.add(entry);
    const { type: fault } = checked.fault;
    emitter.emit({ type: 'drill-start', ...fields(), fault, targets: [...failing] });
    const report = run();
    reports.add(report);
    return { id, report, stop: entry.stop };
  }

  return {
    start,
    drilled(call) {
      for (const drill of running) if (takes(drill.checked, call)) return drill.run(call);
      return undefined;
    },
    async close() {
      closed = true;
      for (const drill of running) void drill.stop();
      await Promise.all(reports);
    },
  };
}
