export type { RunReport, TargetComparison } from './apps/evals/compare-run.ts';
export {
  createEvals,
  type EvalReport,
  type EvalRunOptions,
  type Evals,
  type EvalsOptions,
} from './apps/evals/create-evals.ts';
export type { SuiteEstimate, SuitePower, TargetEstimate } from './apps/evals/estimate.ts';
export type { EvalAnswer, EvalCase } from './apps/evals/eval-case.ts';
export {
  type JudgeOptions,
  judge,
  type SimilarOptions,
  similar,
} from './apps/evals/model-scorers.ts';
export type { CaseResult, JudgeResult, RunResult, TargetResult } from './apps/evals/run-result.ts';
export type { EvalProgress } from './apps/evals/run-suite.ts';
export type {
  BuiltInScorer,
  NamedScorer,
  ScoreContext,
  Scorer,
  ScorerFunction,
} from './apps/evals/scorer.ts';
export { exact, includes, jsonSchema, matches, numeric, toolCall } from './apps/evals/scorers.ts';
export { defineSuite, type Suite } from './apps/evals/suite.ts';
