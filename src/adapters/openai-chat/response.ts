import { isSignalboxError } from '../../errors.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import { listedCitations } from '../common/citations.ts';
import { openAIUsage } from '../common/openai-usage.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { AnswerFacts, AnswerReader } from '../common/read-answer.ts';
import { createDeltaReader, type Issuer } from './deltas.ts';
import type { ChatDialect } from './dialect.ts';
import { chunkFailure, finishFailure, notACompletion } from './errors.ts';

/** By the vendor's word in lower case. */
const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  stop_sequence: 'stop',
  eos: 'stop', // Together
  eos_token: 'stop', // Hugging Face
  end_turn: 'stop',
  complete: 'stop', // Cohere
  length: 'length',
  max_tokens: 'length',
  model_length: 'length', // Mistral
  context_length_exceeded: 'context_length',
  model_context_window_exceeded: 'context_length',
  tool_calls: 'tool_calls',
  tool_call: 'tool_calls', // Cohere
  tool_use: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  safety: 'content_filter',
  recitation: 'content_filter',
  sensitive: 'content_filter', // z.ai
  error_toxic: 'content_filter', // Cohere
  refusal: 'refusal',
};

const usageNames = {
  input: 'prompt_tokens',
  inputDetails: 'prompt_tokens_details',
  output: 'completion_tokens',
  outputDetails: 'completion_tokens_details',
};

type ChatFacts = AnswerFacts & {
  readonly issuer: Issuer;
  /** Where the vendor tells reasoning. @default 'tags' */
  readonly reasoningOut?: ChatDialect['reasoningOut'];
};

/** The first choice: with `n` among the extra options there are more, which nobody asked us for. */
function firstChoice(choices: unknown): JsonObject | undefined {
  for (const choice of listOf(choices)) {
    if (isObject(choice) && (choice.index === undefined || choice.index === 0)) return choice;
  }
  return undefined;
}

export function createAnswerReader({
  issuer,
  reasoningOut = 'tags',
  headers,
  requestId,
  tell,
}: ChatFacts): AnswerReader {
  const deltas = createDeltaReader(issuer, tell, reasoningOut);
  let begun = false;
  let id: string | undefined;
  let servedModel: string | undefined;
  let serviceTier: string | undefined;
  let usage: Usage | undefined;
  let rawFinishReason: string | undefined;
  /** `[DONE]`, or the usage that follows the reason: nothing of interest comes after it. */
  let settled = false;
  let sources: readonly Citation[] = [];

  function describe(chunk: JsonObject, choice: JsonObject | undefined): void {
    id ??= textOf(chunk.id);
    servedModel ??= textOf(chunk.model);
    usage =
      openAIUsage(chunk.usage, usageNames) ??
      openAIUsage(objectOf(chunk.x_groq).usage, usageNames) ??
      // Moonshot tells the usage of a stream inside the choice.
      openAIUsage(choice?.usage, usageNames) ??
      usage;
    const listed = listedCitations(chunk);
    if (listed.length > 0) sources = listed;
    serviceTier =
      textOf(chunk.service_tier) ?? textOf(objectOf(chunk.usage).service_tier) ?? serviceTier;
    if (begun) return;
    begun = true;
    tell({
      type: 'open',
      id,
      servedModel,
      requestId,
    });
  }

  function choose(choice: JsonObject, said: unknown): void {
    deltas.read(objectOf(said));
    const reason = textOf(choice.finish_reason);
    if (reason === undefined) return;
    const failure = finishFailure(reason, choice, headers);
    if (failure !== undefined) throw failure;
    rawFinishReason = reason;
  }

  function finishReason(): FinishReason {
    const { toolCalls, refusal } = deltas.seen();
    const word = (rawFinishReason ?? '').toLowerCase().replace('-', '_');
    const reason = finishReasons[word] ?? 'other';
    if (reason !== 'stop') return reason;
    if (toolCalls > 0) return 'tool_calls';
    return refusal ? 'refusal' : 'stop';
  }

  return {
    readEvent(chunk) {
      if (!isObject(chunk)) return;
      const failure = chunkFailure(chunk, headers);
      if (failure !== undefined) throw failure;
      if (!Array.isArray(chunk.choices) && !begun && chunk.usage === undefined) return;
      const choice = firstChoice(chunk.choices);
      describe(chunk, choice);
      // A server that streams a whole message calls it `message`.
      if (choice !== undefined) choose(choice, choice.delta ?? choice.message);
      else settled = rawFinishReason !== undefined && usage !== undefined;
    },
    readBody(body) {
      const failure = chunkFailure(body, headers);
      if (failure !== undefined) throw failure;
      const choice = isObject(body) ? firstChoice(body.choices) : undefined;
      if (!isObject(body) || !isObject(choice?.message)) {
        throw notACompletion();
      }
      describe(body, choice);
      choose(choice, choice.message);
      // Servers that leave the reason out of a whole message have ended it all the same.
      rawFinishReason ??= 'stop';
    },
    readDone() {
      settled = true;
    },
    isEnded: () => rawFinishReason !== undefined,
    // After the finish reason only usage and `[DONE]` are missing.
    forgives: (error) =>
      rawFinishReason !== undefined && isSignalboxError(error, 'stream_interrupted'),
    isComplete: () => settled,
    isBegun: () => begun,
    finish(raw) {
      deltas.close(sources);
      tell({
        type: 'finish',
        finishReason: finishReason(),
        rawFinishReason,
        id,
        servedModel,
        serviceTier,
        usage,
        raw,
      });
    },
  };
}
