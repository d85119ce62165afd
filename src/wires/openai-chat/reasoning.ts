import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Effort, ProviderRequest } from '../../protocol/request.ts';
import { adaptEffort, droppedParam } from '../openai-shared/params.ts';
import type { ChatDialect } from './dialect.ts';

export type WireReasoning = {
  readonly body: JsonObject;
  /** The effort that OpenAI's models will spend, which decides what else they take. */
  readonly effort: Effort | undefined;
  readonly warnings: readonly Warning[];
};

type Wish = {
  readonly reasoning: ProviderRequest['reasoning'] | undefined;
  readonly tools: ProviderRequest['tools'] | undefined;
};

/** OpenAI's own: `max` is for Responses only, and some models refuse tools beside reasoning. */
function openAIEffort({ reasoning, tools }: Wish, { facts, efforts }: ChatDialect): WireReasoning {
  const known =
    facts.efforts === 'any' ? efforts : facts.efforts.filter((effort) => effort !== 'max');
  const { effort, warnings } = adaptEffort(reasoning, known);
  const hasTools = (tools?.length ?? 0) > 0;
  const asksForMore = effort !== undefined && effort !== 'none';
  const clashes =
    (facts.chatToolsClash === 'with-effort' && asksForMore) ||
    (facts.chatToolsClash === 'unless-none' && effort !== 'none');
  if (!hasTools || !clashes) {
    return { body: effort === undefined ? {} : { reasoning_effort: effort }, effort, warnings };
  }
  const message =
    'Chat Completions refuses tools beside reasoning for this model; reasoning was turned off. Use openai() for both';
  return {
    body: { reasoning_effort: 'none' },
    effort: 'none',
    warnings: [...warnings, { code: 'adjusted-param', param: 'reasoning.effort', message }],
  };
}

/** Whether reasoning is wished for, wished away, or left to the vendor. */
function isWanted({ reasoning }: Wish): boolean | undefined {
  const { effort, budgetTokens } = reasoning ?? {};
  if (effort !== undefined) return effort !== 'none';
  return budgetTokens === undefined ? undefined : budgetTokens > 0;
}

/** Qwen: on or off, with a budget. */
function enableThinking(wish: Wish): WireReasoning {
  const { effort, budgetTokens } = wish.reasoning ?? {};
  const wanted = isWanted(wish);
  const told =
    effort !== undefined && effort !== 'none' && budgetTokens === undefined
      ? [
          {
            code: 'adjusted-param' as const,
            param: 'reasoning.effort',
            message: 'the target turns reasoning on or off only; it was turned on',
          },
        ]
      : [];
  return {
    body: {
      ...(wanted !== undefined && { enable_thinking: wanted }),
      ...(wanted === true && budgetTokens !== undefined && { thinking_budget: budgetTokens }),
    },
    effort: undefined,
    warnings: told,
  };
}

/** DeepSeek and Moonshot: on or off, and an effort where the vendor has any. */
function thinking(wish: Wish, { efforts }: ChatDialect): WireReasoning {
  const wanted = isWanted(wish);
  if (wanted === undefined) return { body: {}, effort: undefined, warnings: [] };
  const type = wanted ? 'enabled' : 'disabled';
  const body = { thinking: { type } };
  const hasEfforts = efforts === 'any' || efforts.length > 0;
  if (wanted && hasEfforts) {
    const { effort, warnings } = adaptEffort(wish.reasoning, efforts);
    return {
      body: { ...body, ...(effort !== undefined && { reasoning_effort: effort }) },
      effort: undefined,
      warnings,
    };
  }
  const { body: _switch, ...rest } = enableThinking(wish);
  return { body, ...rest };
}

/** OpenRouter: an effort or a budget; reasoning is told unless it is asked not to be. */
function reasoningObject({ reasoning }: Wish): WireReasoning {
  const { effort, budgetTokens, include } = reasoning ?? {};
  const amount: JsonObject = {
    ...(effort !== undefined && budgetTokens === undefined && { effort }),
    ...(budgetTokens !== undefined && { max_tokens: budgetTokens }),
  };
  const told = {
    ...amount,
    ...(include === false && { exclude: true }),
    ...(include === true && Object.keys(amount).length === 0 && { enabled: true }),
  };
  return {
    body: Object.keys(told).length === 0 ? {} : { reasoning: told },
    effort: undefined,
    warnings:
      effort !== undefined && budgetTokens !== undefined
        ? [droppedParam('reasoning.effort', 'the target takes an effort or a budget, not both')]
        : [],
  };
}

function none({ reasoning }: Wish): WireReasoning {
  const { effort, budgetTokens } = reasoning ?? {};
  const why = 'the vendor does not let it be chosen';
  return {
    body: {},
    effort: undefined,
    warnings: [
      ...(effort === undefined ? [] : [droppedParam('reasoning.effort', why)]),
      ...(budgetTokens === undefined ? [] : [droppedParam('reasoning.budgetTokens', why)]),
    ],
  };
}

const spellings = {
  effort: openAIEffort,
  enable_thinking: enableThinking,
  thinking,
  reasoning: reasoningObject,
  none,
} as const satisfies Record<
  ChatDialect['reasoningIn'],
  (wish: Wish, dialect: ChatDialect) => WireReasoning
>;

/** The wish for reasoning in the vendor's words. */
export function wireReasoning(wish: Wish, dialect: ChatDialect): WireReasoning {
  return spellings[dialect.reasoningIn](wish, dialect);
}
