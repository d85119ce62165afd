import { withoutUndefined } from '../../internal/own.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import {
  type AnswerToWrite,
  type CallToWrite,
  type ReceivedRequest,
  splitText,
} from '../../wires/common/write.ts';

export type SimulatedToolCall = {
  /** @default an id in the vendor's style; none on Gemini */
  readonly id?: string | undefined;
  readonly name: string;
  readonly input?: Json | undefined;
  /** Sent verbatim instead of `input` on wires that send arguments as text (not on Gemini). */
  readonly rawInput?: string | undefined;
};

/** As in `Usage`, the input includes cached and cache-write tokens, and the output includes reasoning. */
export type SimulatedUsage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number | undefined;
  readonly cacheWriteTokens?: number | undefined;
  readonly reasoningTokens?: number | undefined;
};

/** The answer of a simulated provider, independent of the wire. All fields are optional. */
export type SimulatedAnswer = {
  readonly text?: string | undefined;
  /** The chunks in which the text is streamed. @default `text` in chunks of about 12 characters */
  readonly chunks?: readonly string[] | undefined;
  /**
   * Reasoning as the vendor returns it: a thinking block (Anthropic), a thought part (Gemini),
   * `reasoning_content` (compatible vendors), a summary if the request asks for one (OpenAI Responses),
   * nothing (OpenAI Chat Completions).
   */
  readonly reasoning?: string | undefined;
  /** `signature`, `thoughtSignature` or `encrypted_content`. @default a fixed one when there is reasoning */
  readonly reasoningSignature?: string | undefined;
  readonly toolCalls?: readonly SimulatedToolCall[] | undefined;
  /** A refusal in the vendor's form, instead of text. */
  readonly refusal?: string | undefined;
  /** Sent as the vendor's value. @default by content: `refusal`, `tool_calls` or `stop` */
  readonly finishReason?: FinishReason | undefined;
  /** @default about one token per four characters */
  readonly usage?: SimulatedUsage | undefined;
  /**
   * When a stream of Chat Completions reports usage: if the request asks for it, or `always`, as some compatible vendors
   * do. No effect on other wires, which always report it.
   * @default 'on-request'
   */
  readonly streamUsage?: 'on-request' | 'always' | undefined;
  /** The model that the answer names. @default the requested one */
  readonly model?: string | undefined;
  /** @default the vendor's name of its standard tier */
  readonly serviceTier?: string | undefined;
  /** Milliseconds between two events that carry content. @default 0 */
  readonly chunkDelayMs?: number | undefined;
  /** Milliseconds before the first event that carries content, or before a unary answer. @default 0 */
  readonly firstTokenDelayMs?: number | undefined;
  /** Additional headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
};

const defaultSignature = Buffer.from('signalbox simulated signature').toString('base64');
const charactersPerToken = 4;

/** Fills in the defaults of an answer. */
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
    finishReason: answer.finishReason ?? defaultFinishReason(answer),
    usage: {
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      reasoningTokens: answer.reasoning === undefined ? 0 : countTokens(answer.reasoning),
      ...withoutUndefined(
        answer.usage ?? {
          inputTokens: countTokens(JSON.stringify(request.body)),
          outputTokens: countTokens(
            [
              text,
              answer.reasoning,
              answer.refusal,
              ...toolCalls.map((call) => call.inputText),
            ].join(''),
          ),
        },
      ),
    },
    streamUsage: answer.streamUsage ?? 'on-request',
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

function defaultFinishReason(answer: SimulatedAnswer): FinishReason {
  if (answer.refusal !== undefined) return 'refusal';
  return (answer.toolCalls ?? []).length > 0 ? 'tool_calls' : 'stop';
}

function countTokens(text: string): number {
  return Math.ceil(text.length / charactersPerToken);
}
