import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Effort, ProviderRequest } from '../../protocol/request.ts';
import { adaptEffort, droppedParam } from '../openai-shared/params.ts';
import type { ChatDialect } from './dialect.ts';

export type WireReasoning = {
  readonly body: JsonObject;
  /** The effort of OpenAI's models, which determines what other parameters they accept. */
  readonly effort: Effort | undefined;
  readonly warnings: readonly Warning[];
};

type ReasoningRequest = {
  readonly reasoning: ProviderRequest['reasoning'] | undefined;
  readonly tools: ProviderRequest['tools'] | undefined;
};

/** OpenAI: `max` works only on Responses, and some models reject tools together with reasoning. */
function openAIEffort(
  { reasoning, tools }: ReasoningRequest,
  { spec, efforts }: ChatDialect,
): WireReasoning {
  const known =
    spec.efforts === 'any' ? efforts : spec.efforts.filter((effort) => effort !== 'max');
  const { effort, warnings } = adaptEffort(reasoning, known);
  const hasTools = (tools?.length ?? 0) > 0;
  const hasEffort = effort !== undefined && effort !== 'none';
  const clashes =
    (spec.chatToolsClash === 'with-effort' && hasEffort) ||
    (spec.chatToolsClash === 'unless-none' && effort !== 'none');
  if (!hasTools || !clashes) {
    return { body: effort === undefined ? {} : { reasoning_effort: effort }, effort, warnings };
  }
  const message =
    'Chat Completions rejects tools together with reasoning for this model; reasoning was turned off. Use openai() for both';
  return {
    body: { reasoning_effort: 'none' },
    effort: 'none',
    warnings: [...warnings, { code: 'adjusted-param', param: 'reasoning.effort', message }],
  };
}

/** Whether reasoning is requested; `undefined` leaves it to the vendor. */
function isWanted({ reasoning }: ReasoningRequest): boolean | undefined {
  const { effort, budgetTokens } = reasoning ?? {};
  if (effort !== undefined) return effort !== 'none';
  return budgetTokens === undefined ? undefined : budgetTokens > 0;
}

/** Qwen: on or off, with a budget. */
function enableThinking(request: ReasoningRequest): WireReasoning {
  const { effort, budgetTokens } = request.reasoning ?? {};
  const wanted = isWanted(request);
  const warnings =
    effort !== undefined && effort !== 'none' && budgetTokens === undefined
      ? [
          {
            code: 'adjusted-param' as const,
            param: 'reasoning.effort',
            message: 'the target can only turn reasoning on or off; it was turned on',
          },
        ]
      : [];
  return {
    body: {
      ...(wanted !== undefined && { enable_thinking: wanted }),
      ...(wanted === true && budgetTokens !== undefined && { thinking_budget: budgetTokens }),
    },
    effort: undefined,
    warnings,
  };
}

/** DeepSeek and Moonshot: on or off, with an effort if the vendor has any. */
function thinking(request: ReasoningRequest, { efforts }: ChatDialect): WireReasoning {
  const wanted = isWanted(request);
  if (wanted === undefined) return { body: {}, effort: undefined, warnings: [] };
  const type = wanted ? 'enabled' : 'disabled';
  const body = { thinking: { type } };
  const hasEfforts = efforts === 'any' || efforts.length > 0;
  if (wanted && hasEfforts) {
    const { effort, warnings } = adaptEffort(request.reasoning, efforts);
    return {
      body: { ...body, ...(effort !== undefined && { reasoning_effort: effort }) },
      effort: undefined,
      warnings,
    };
  }
  const { body: _switch, ...rest } = enableThinking(request);
  return { body, ...rest };
}

/** OpenRouter: an effort or a budget. Answers include reasoning unless `exclude` is set. */
function reasoningObject({ reasoning }: ReasoningRequest): WireReasoning {
  const { effort, budgetTokens, include } = reasoning ?? {};
  const amount: JsonObject = {
    ...(effort !== undefined && budgetTokens === undefined && { effort }),
    ...(budgetTokens !== undefined && { max_tokens: budgetTokens }),
  };
  const fields = {
    ...amount,
    ...(include === false && { exclude: true }),
    ...(include === true && Object.keys(amount).length === 0 && { enabled: true }),
  };
  return {
    body: Object.keys(fields).length === 0 ? {} : { reasoning: fields },
    effort: undefined,
    warnings:
      effort !== undefined && budgetTokens !== undefined
        ? [droppedParam('reasoning.effort', 'the target takes an effort or a budget, not both')]
        : [],
  };
}

function none({ reasoning }: ReasoningRequest): WireReasoning {
  const { effort, budgetTokens } = reasoning ?? {};
  const why = 'the vendor has no parameter for it';
  return {
    body: {},
    effort: undefined,
    warnings: [
      ...(effort === undefined ? [] : [droppedParam('reasoning.effort', why)]),
      ...(budgetTokens === undefined ? [] : [droppedParam('reasoning.budgetTokens', why)]),
    ],
  };
}

const converters = {
  effort: openAIEffort,
  enable_thinking: enableThinking,
  thinking,
  reasoning: reasoningObject,
  none,
} as const satisfies Record<
  ChatDialect['reasoningIn'],
  (request: ReasoningRequest, dialect: ChatDialect) => WireReasoning
>;

/** Converts the requested reasoning to the vendor's parameters. */
export function wireReasoning(request: ReasoningRequest, dialect: ChatDialect): WireReasoning {
  return converters[dialect.reasoningIn](request, dialect);
}
