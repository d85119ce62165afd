import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignalboxError } from '../../errors.ts';
import { fileProblemOf } from '../../internal/local-file.ts';
import type { TargetId } from '../../protocol/call-options.ts';
import type { Description } from '../../protocol/description.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { Demotion, Router, Snapshot } from '../../protocol/router.ts';
import { minBaselineRuns } from './baseline.ts';
import type { RunReport, TargetComparison } from './compare-run.ts';
import { type Emit, ofRouter } from './emit.ts';
import { replaceFile } from './run-file.ts';

/** A target that answers a suite worse than its baseline. */
type Drift = {
  readonly suite: string;
  readonly target: string;
  /** The run that found it. */
  readonly run: string;
};

/** Names of suites do not begin with a dot. */
const fileName = '.drift.json';

function isHealthy({ at, targets }: Snapshot, target: string): boolean {
  const state = targets[target];
  if (state === undefined || state.isolated === true || state.demoted !== undefined) return false;
  return (
    state.circuit === 'closed' &&
    Object.values(state.unavailableUntil).every((until) => until <= at)
  );
}

/**
 * Which targets have drifted, in a file next to the results, and their demotions in the router. With the file, a restart
 * changes nothing.
 */
export class DriftWatch {
  readonly #router: Router;
  readonly #path: string;
  readonly #onDrift: 'report' | 'demote';
  readonly #emit: Emit;
  /** By target. */
  readonly #demotions = new Map<string, Demotion>();

  constructor(router: Router, results: string, onDrift: 'report' | 'demote', emit: Emit) {
    this.#router = router;
    this.#path = join(results, fileName);
    this.#onDrift = onDrift;
    this.#emit = emit;
  }

  /** Makes the demotions those of what has drifted in these suites, as far as other targets are healthy. */
  async apply(suites: readonly string[]): Promise<void> {
    const watched = this.#read().filter(({ suite }) => suites.includes(suite));
    await this.#demote(new Set(watched.map(({ target }) => target)));
  }

  /** Records what a run found, changes the demotions, and emits what has changed. */
  async update({ result, targets }: RunReport, suites: readonly string[]): Promise<void> {
    const { suite, run } = result;
    const before = this.#read();
    const isKnown = ({ target }: TargetComparison): boolean =>
      before.some((each) => each.suite === suite && each.target === target);
    const found = targets.filter((each) => each.state === 'regressed' && !isKnown(each));
    const cleared = targets.filter(
      (each) => isKnown(each) && (each.state === 'steady' || each.baselineRuns < minBaselineRuns),
    );
    if (found.length > 0 || cleared.length > 0) {
      const kept = before.filter(
        (each) => each.suite !== suite || !cleared.some(({ target }) => target === each.target),
      );
      this.#write([...kept, ...found.map(({ target }) => ({ suite, target, run }))]);
    }
    const demotedBefore = new Set(this.#demotions.keys());
    await this.apply(suites);
    const isDemoted = (target: string): boolean => this.#demotions.has(target);
    for (const { target, state, verdict } of cleared) {
      this.#emit({
        ...{ type: 'drift-cleared', ...ofRouter, suite, run, target },
        ...(state === 'steady' && verdict !== undefined && { effect: verdict.effect }),
        reason: state === 'steady' ? 'recovered' : 'no-baseline',
        action: demotedBefore.has(target) && !isDemoted(target) ? 'restored' : 'reported',
      });
    }
    for (const each of found) this.#emitDrift(each, result, isDemoted(each.target));
  }

  #emitDrift(
    { target, verdict }: TargetComparison,
    { suite, run }: RunReport['result'],
    isDemoted: boolean,
  ): void {
    if (verdict === undefined) return;
    const { effect, interval, evidence, cases } = verdict;
    const event: Omit<Extract<RouterEvents['drift-detected'], { source: 'suite' }>, 'at'> = {
      ...{ type: 'drift-detected', ...ofRouter, source: 'suite', suite, run, target },
      ...{ effect, interval, evidence, cases },
      action: isDemoted ? 'demoted' : 'reported',
      ...(this.#onDrift === 'demote' && !isDemoted && { reason: 'last-healthy' }),
    };
    this.#emit(event);
  }

  async #demote(drifted: ReadonlySet<string>): Promise<void> {
    for (const [target, demotion] of this.#demotions) {
      if (drifted.has(target)) continue;
      this.#demotions.delete(target);
      demotion.restore();
    }
    if (this.#onDrift !== 'demote') return;
    const { tiers } = await this.#router.describe();
    // Without a wait in between: runs of other suites may end at the same time.
    for (const target of drifted) {
      if (this.#demotions.has(target) || !this.#isSpare(target, tiers)) continue;
      this.#demotions.set(target, this.#router.demote(target as TargetId));
    }
  }

  /** Whether every tier of the target that has others has a healthy one among them. */
  #isSpare(target: string, tiers: Description['tiers']): boolean {
    const snapshot = this.#router.snapshot();
    const others = tiers
      .filter(({ targets }) => targets.some((each) => each.target === target))
      .map(({ targets }) => targets.filter((each) => each.target !== target))
      .filter(({ length }) => length > 0);
    return (
      others.length > 0 &&
      others.every((list) =>
        list.some((each) => each.excluded === undefined && isHealthy(snapshot, each.target)),
      )
    );
  }

  #read(): readonly Drift[] {
    if (!existsSync(this.#path)) return [];
    let drifted: unknown;
    try {
      drifted = Reflect.get(Object(JSON.parse(readFileSync(this.#path, 'utf8'))), 'drifted');
    } catch (cause) {
      throw new SignalboxError('config', fileProblemOf('read', this.#path, cause), { cause });
    }
    if (Array.isArray(drifted)) return drifted as readonly Drift[];
    const problem = `${this.#path} does not list what has drifted; delete it to start over`;
    throw new SignalboxError('config', problem);
  }

  #write(drifted: readonly Drift[]): void {
    const lines = drifted.map((each) => `\n    ${JSON.stringify(each)}`);
    replaceFile(
      this.#path,
      `{\n  "version": 1,\n  "drifted": [${lines.join(',')}${lines.length === 0 ? '' : '\n  '}]\n}\n`,
    );
  }
}
