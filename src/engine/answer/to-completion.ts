import type { Completion, Warning } from '../../protocol/completion.ts';
import type { Cost, Usage } from '../../protocol/usage.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { type Collected, textOf } from '../core/collected.ts';
import type { Engine } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import type { WholeCompletion } from '../core/task.ts';
import type { Trail } from '../core/trail.ts';

type Building = { -readonly [Key in keyof WholeCompletion]: WholeCompletion[Key] };

type WholeAnswer = {
  readonly engine: Engine;
  readonly scope: Scope;
  readonly plan: AttemptPlan;
  /** Those of the request. */
  readonly warnings: readonly Warning[];
  readonly collected: Collected;
  readonly usage: Usage;
  readonly cost: Cost;
  /** Epoch milliseconds. */
  readonly firstTokenAt: number | undefined;
};

function warningsOf({ warnings, collected, usage }: WholeAnswer): readonly Warning[] {
  const all = [...warnings, ...collected.warnings];
  if (usage.estimated !== true) return all;
  return [
    ...all,
    {
      code: 'usage-missing',
      message: 'the vendor reported no usage, or counts that cannot be right: it is estimated',
    },
  ];
}

/** The completion of a whole answer, not yet checked. Its trail is added last: see {@link withTrail}. */
export function toCompletion(whole: WholeAnswer): WholeCompletion {
  const { engine, scope, plan, collected, usage, cost, firstTokenAt } = whole;
  const { call, target, tags } = plan;
  const { finish, content, requestId, vectors } = collected;
  const totalMs = engine.runtime.now() - scope.startedAt;
  const completion: Building = {
    id: collected.id ?? engine.runtime.createId('answer'),
    callId: call.id,
    tier: call.called.name,
    target: target.id,
    provider: target.provider,
    model: { requested: target.model, served: collected.servedModel ?? target.model },
    content,
    text: textOf(content),
    reasoningText: content.map((part) => (part.type === 'reasoning' ? part.text : '')).join(''),
    toolCalls: content.filter((part) => part.type === 'tool-call'),
    object: undefined,
    finishReason: finish?.finishReason ?? 'other',
    usage,
    cost,
    latency:
      firstTokenAt === undefined
        ? { totalMs }
        : { totalMs, firstTokenMs: firstTokenAt - scope.startedAt },
    trail: [],
    warnings: warningsOf(whole),
    tags,
  };
  if (finish?.rawFinishReason !== undefined) completion.rawFinishReason = finish.rawFinishReason;
  if (finish?.finishDetail !== undefined) completion.finishDetail = finish.finishDetail;
  if (requestId !== undefined) completion.requestId = requestId;
  if (finish?.serviceTier !== undefined) completion.serviceTier = finish.serviceTier;
  if (vectors.length > 0) completion.vectors = vectors;
  if (finish?.raw !== undefined) completion.raw = finish.raw;
  return completion;
}

/** A completion with the lines and the bill of all attempts of its call. */
export function withTrail(completion: Completion, trail: Trail): Completion {
  const cost = { ...completion.cost, attemptsUsd: trail.usd };
  return { ...completion, cost, trail: [...trail.lines] };
}
