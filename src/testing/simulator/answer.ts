import type { FinishReason } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import {
  type AnswerToWrite,
  type CallToWrite,
  type ReceivedRequest,
  splitText,
} from '../../wires/common/write.ts';

export type SimulatedToolCall = {
  /** @default one in the vendor's style; none on Gemini, which may leave it out */
  readonly id?: string;
  readonly name: string;
  readonly input?: Json;
  /** Sent instead of `input`, character for character, where arguments travel as text (not on Gemini). */
  readonly rawInput?: string;
};

/** Counted like `Usage`: the input includes cached and written tokens, the output includes reasoning. */
export type SimulatedUsage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number;
  readonly cacheWriteTokens?: number;
  readonly reasoningTokens?: number;
};

/** What a simulated provider answers, in words that fit every wire. All fields are optional. */
export type SimulatedAnswer = {
  readonly text?: string;
  /** The text in the pieces in which it is streamed. @default `text` in pieces of a dozen characters */
  readonly chunks?: readonly string[];
  /**
   * Reasoning as the vendor shows it: a thinking block (Anthropic), a thought part (Gemini),
   * `reasoning_content` (compatible vendors), a summary if the request asks for one (OpenAI Responses),
   * nothing (OpenAI Chat Completions).
   */
  readonly reasoning?: string;
  /** `signature`, `thoughtSignature` or `encrypted_content`. @default a fixed one when there is reasoning */
  readonly reasoningSignature?: string;
  readonly toolCalls?: readonly SimulatedToolCall[];
  /** A refusal in the vendor's way; there is then no text. */
  readonly refusal?: string;
  /** Put into the vendor's word. @default by content: `refusal`, `tool_calls` or `stop` */
  readonly finishReason?: FinishReason;
  /** @default about a token for every four characters */
  readonly usage?: SimulatedUsage;
  /** The model that the answer says served it. @default the one asked for */
  readonly model?: string;
  /** @default what the vendor calls its usual tier */
  readonly serviceTier?: string;
  /** Milliseconds between two events that carry content. @default 0 */
  readonly chunkDelayMs?: number;
  /** Milliseconds before the first event that carries content, or before a unary answer. @default 0 */
  readonly firstTokenDelayMs?: number;
  /** Headers added to the answer's own. */
  readonly headers?: Readonly<Record<string, string>>;
};

const defaultSignature = Buffer.from('signalbox simulated signature').toString('base64');
const charactersPerToken = 4;

/** Fills in whatever the answer leaves open. */
export function resolveAnswer(answer: SimulatedAnswer, request: ReceivedRequest): AnswerToWrite {
  const text = answer.refusal === undefined ? (answer.text ?? answer.chunks?.join('') ?? '') : '';
  const chunks = answer.refusal === undefined ? (answer.chunks ?? splitText(text)) : [];
  const toolCalls = (answer.toolCalls ?? []).map(resolveToolCall);
  return {
    model: answer.model ?? request.model,
    text,
    chunks,
    reasoning: answer.reasoning,
    reasoningSignature:
      answer.reasoningSignature ?? (answer.reasoning === undefined ? undefined : defaultSignature),
    toolCalls,
    refusal: answer.refusal,
    finishReason: answer.finishReason ?? usualFinishReason(answer),
    usage: {
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      reasoningTokens: answer.reasoning === undefined ? 0 : countTokens(answer.reasoning),
      ...(answer.usage ?? {
        inputTokens: countTokens(JSON.stringify(request.body)),
        outputTokens: countTokens(
          [text, answer.reasoning, answer.refusal, ...toolCalls.map((call) => call.inputText)].join(
            '',
          ),
        ),
      }),
    },
    serviceTier: answer.serviceTier,
  };
}

function resolveToolCall(call: SimulatedToolCall): CallToWrite {
  const input = call.input ?? {};
  return {
    id: call.id,
    name: call.name,
    input,
    inputText: call.rawInput ?? JSON.stringify(input),
  };
}

function usualFinishReason(answer: SimulatedAnswer): FinishReason {
  if (answer.refusal !== undefined) return 'refusal';
  return (answer.toolCalls ?? []).length > 0 ? 'tool_calls' : 'stop';
}

function countTokens(text: string): number {
  return Math.ceil(text.length / charactersPerToken);
}
