import type { ResolvedTarget } from '../../config/resolve.ts';
import type { Completion, Tags, Warning } from '../../protocol/completion.ts';
import type { PreparedCall } from '../../protocol/provider.ts';
import type { Cost, Usage } from '../../protocol/usage.ts';
import { type Collected, textOf } from '../core/collected.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import type { WholeCompletion } from '../core/task.ts';
import type { Trail } from '../core/trail.ts';

type Building = { -readonly [Key in keyof WholeCompletion]: WholeCompletion[Key] };

type Whole = {
  readonly engine: Engine;
  readonly call: Call;
  readonly scope: Scope;
  readonly target: ResolvedTarget;
  readonly prepared: PreparedCall;
  readonly collected: Collected;
  readonly usage: Usage;
  readonly cost: Cost;
  readonly tags: Tags;
  /** Epoch milliseconds. */
  readonly firstTokenAt: number | undefined;
};

function warningsOf({ prepared, collected, usage }: Whole): readonly Warning[] {
  const warnings = [...prepared.warnings, ...collected.warnings];
  if (usage.estimated !== true) return warnings;
  return [
    ...warnings,
    {
      code: 'usage-missing',
      message: 'the vendor reported no usage, or counts that cannot be right: it is estimated',
    },
  ];
}

/**
 * The completion of an answer that has come whole, before anything is checked. Its trail is added last: see
 * {@link withTrail}.
 */
export function toCompletion(whole: Whole): WholeCompletion {
  const { engine, call, scope, target, collected, usage, cost, tags, firstTokenAt } = whole;
  const { finish, content, requestId, vectors } = collected;
  const totalMs = engine.runtime.now() - scope.startedAt;
  const completion: Building = {
    id: collected.id ?? engine.runtime.createId('answer'),
    tier: call.tier.name,
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
  // One by one: a spread in the middle of a literal takes as long as all of the above.
  if (finish?.rawFinishReason !== undefined) completion.rawFinishReason = finish.rawFinishReason;
  if (finish?.finishDetail !== undefined) completion.finishDetail = finish.finishDetail;
  if (requestId !== undefined) completion.requestId = requestId;
  if (finish?.serviceTier !== undefined) completion.serviceTier = finish.serviceTier;
  if (vectors.length > 0) completion.vectors = vectors;
  if (finish?.raw !== undefined) completion.raw = finish.raw;
  return completion;
}

/** A completion with the story of its call, once that is over: the lines and bills of all attempts. */
export function withTrail(completion: Completion, trail: Trail): Completion {
  const cost = { ...completion.cost, attemptsUsd: trail.usd };
  return { ...completion, cost, trail: [...trail.lines] };
}
