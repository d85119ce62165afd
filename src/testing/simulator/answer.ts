import type { FinishReason } from '../../protocol/completion.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';

/** The wires that the simulators speak. */
export type SimulatedWireName = 'openai-responses' | 'openai-chat' | 'anthropic' | 'gemini';

/** APIs beside them, which answer with vectors and pictures. */
export type SimulatedOtherWireName = 'openai-embeddings' | 'openai-images' | 'gemini-embeddings';

/** Request headers by their names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** A request as a simulated provider read it. */
export type SimulatedRequest = {
  /** Absent for a path that no wire of this provider knows. */
  readonly wire: SimulatedWireName | SimulatedOtherWireName | undefined;
  readonly method: string;
  readonly path: string;
  /** Names in lower case. Keys are in here: this is for tests, not for logs. */
  readonly headers: RequestHeaders;
  /** The parsed JSON body; empty when it is not a JSON object. */
  readonly body: JsonObject;
  readonly model: string;
  /** Whether a stream was asked for. */
  readonly stream: boolean;
  /** The API key or access token that came along. */
  readonly key: string | undefined;
};

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

/** An answer with nothing left open, which the wires put into their words. */
export type ResolvedAnswer = {
  readonly model: string;
  readonly text: string;
  readonly chunks: readonly string[];
  readonly reasoning: string | undefined;
  readonly reasoningSignature: string | undefined;
  readonly toolCalls: readonly ResolvedToolCall[];
  readonly refusal: string | undefined;
  readonly finishReason: FinishReason;
  readonly usage: Required<SimulatedUsage>;
  readonly serviceTier: string | undefined;
};

export type ResolvedToolCall = {
  readonly id: string | undefined;
  readonly name: string;
  readonly input: Json;
  readonly inputText: string;
};

const defaultSignature = Buffer.from('signalbox simulated signature').toString('base64');
const pieceCharacters = 12;
const mostPieces = 64;
const charactersPerToken = 4;

/** Fills in whatever the answer leaves open. */
export function resolveAnswer(answer: SimulatedAnswer, request: SimulatedRequest): ResolvedAnswer {
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

/** The text in pieces of whole characters. */
export function splitText(text: string): readonly string[] {
  const characters = [...text];
  const size = Math.max(pieceCharacters, Math.ceil(characters.length / mostPieces));
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  );
}

function resolveToolCall(call: SimulatedToolCall): ResolvedToolCall {
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
