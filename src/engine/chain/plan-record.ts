import type { ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import { withoutUndefined } from '../../internal/own.ts';
import type { CandidateFigures, TierOrder } from '../../protocol/decision.ts';
import type { Modality } from '../../protocol/events.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { StrategyContext, TargetKnowledge } from '../../protocol/strategy.ts';
import { type Call, type Engine, keyLabel } from '../core/engine.ts';
import { requestTokens } from '../core/expected-cost.ts';
import type { Payload } from '../core/trail.ts';
import { weightOf } from './demotions.ts';
import type { PlannedCall } from './plan-call.ts';

type Known = { -readonly [Name in keyof TargetKnowledge]?: TargetKnowledge[Name] };

/** What a strategy asked for while it ordered the targets of a tier. */
type Asked = { readonly draws: number[]; readonly known: Map<string, Known> };

/** Knowledge whose values are recorded as they are read. A value is looked up once, so that it does not change meanwhile. */
function recording(knowledge: TargetKnowledge, known: Known): TargetKnowledge {
  return new Proxy(knowledge, {
    get(target, name) {
      if (Object.hasOwn(known, name)) return Reflect.get(known, name);
      const value: unknown = Reflect.get(target, name);
      if (typeof name === 'string' && typeof value !== 'function' && value !== undefined) {
        Reflect.set(known, name, value);
      }
      return value;
    },
  });
}

/** What the strategies of a call's tiers read, drew and reported. Made when something listens. */
export class PlanRecord {
  readonly #byTier = new Map<string, Asked>();
  readonly #scores = new Map<string, number>();

  /** The context with everything that the strategy does recorded. */
  recorded(tier: ResolvedTier, context: StrategyContext): StrategyContext {
    const { draws, known }: Asked = { draws: [], known: new Map() };
    this.#byTier.set(tier.name, { draws, known });
    return {
      ...context,
      knowledge(candidate) {
        const ofTarget = known.get(candidate.id) ?? {};
        known.set(candidate.id, ofTarget);
        return recording(context.knowledge(candidate), ofTarget);
      },
      random() {
        const draw = context.random();
        draws.push(draw);
        return draw;
      },
      score: ({ id }, score) => {
        // Infinity has no JSON.
        if (Number.isFinite(score)) this.#scores.set(id, score);
      },
    };
  }

  /** The figures that were asked for. */
  figuresOf(target: ResolvedTarget, { estimates }: PlannedCall): CandidateFigures {
    const known = this.#byTier.get(target.tier)?.known.get(target.id);
    return withoutUndefined({
      usd: estimates().knownUsd(target),
      firstTokenMs: known?.recentFirstTokenMs,
      failureRate: known?.recentFailureRate,
      score: this.#scores.get(target.id),
    });
  }

  /** How the tier is ordered. Call it before its turn is over. */
  orderOf(engine: Engine, resolved: ResolvedTier): TierOrder {
    const { name: tier, strategy, targets } = resolved;
    const { name, settings } = strategy;
    const asked = this.#byTier.get(tier);
    return {
      tier,
      strategy: name,
      ...(settings !== undefined && { settings }),
      turn: engine.registry.tier(tier).turn,
      draws: asked?.draws ?? [],
      targets: targets.map((target) => ({
        target: target.id,
        weight: weightOf(engine, resolved, target),
        known: asked?.known.get(target.id) ?? {},
      })),
    };
  }
}

/** What the messages contain. */
function modalitiesOf(messages: readonly NormalMessage[], { capabilities }: Call['task']['needs']) {
  const hasText = messages.some(({ content }) => content.some(({ type }) => type === 'text'));
  const present = {
    text: hasText,
    image: capabilities.has('vision'),
    audio: capabilities.has('audio'),
    file: capabilities.has('files'),
  } satisfies Record<Modality, boolean>;
  return (Object.keys(present) as Modality[]).filter((name) => present[name]);
}

/** Estimated tokens of the messages, the tools and the system prompt: that of the tier's first target. */
export function plannedTokens({ tier, task, options }: Call): number {
  const { system = tier.targets[0]?.options.system } = options;
  return Math.ceil(requestTokens(task, system));
}

/** The event of a plan, without its `fallbacks`. */
export function routePlanOf(
  engine: Engine,
  call: Call,
  planned: PlannedCall,
  record: PlanRecord,
): Payload<'route-plan'> {
  const { tiers, candidates, demoted, skipped } = planned;
  const { rule, tier, task } = call;
  return {
    ...(rule !== undefined && { rule }),
    strategy: tier.strategy.name,
    inputTokens: plannedTokens(call),
    modalities: modalitiesOf(task.messages, task.needs),
    candidates: candidates.map((target) => ({
      target: target.id,
      ...keyLabel(target),
      ...record.figuresOf(target, planned),
    })),
    ...(demoted.length > 0 && { demoted }),
    skipped: skipped.map(({ target, key, reason }) => ({
      target,
      ...(key !== undefined && { key }),
      reason,
    })),
    orders: tiers.map((each) => record.orderOf(engine, each)),
  };
}
