import { configError } from '../../config/problems.ts';
import type { EvalRunOptions, EvalsOptions } from './create-evals.ts';

const evalsOptions = {
  ...{ suites: true, baseline: true, results: true, concurrency: true, runtime: true },
} as const satisfies Record<keyof EvalsOptions, true>;

const runOptions = {
  ...{ targets: true, maxUsd: true, fresh: true, baseline: true, signal: true, onProgress: true },
} as const satisfies Record<keyof EvalRunOptions, true>;

function checkNames(where: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const problems = unknown.map((name) => {
    const hint = { name, known, otherwise: 'list' } as const;
    return { path: [name], message: 'unknown option', hint };
  });
  throw configError(problems, where);
}

/** A cap or a baseline that is misspelt would not be in force. @throws SignalboxError `config` */
export function checkEvalsOptions(options: EvalsOptions): void {
  checkNames('options of createEvals()', options, Object.keys(evalsOptions));
}

/** @throws SignalboxError `config` */
export function checkRunOptions(options: EvalRunOptions): void {
  checkNames('options of evals.run()', options, Object.keys(runOptions));
}
