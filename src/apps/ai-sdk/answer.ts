import { isSignalboxError } from '../../errors.ts';
import type { Completion, FinishReason, Warning } from '../../protocol/completion.ts';
import type { Citation, Media, Opaque, Part, TextPart } from '../../protocol/message.ts';
import type { Embeddings, Images } from '../../protocol/other-tasks.ts';
import type { Usage } from '../../protocol/usage.ts';
import { systemRuntime } from '../../runtime.ts';
import { finishReasons } from './finish-reasons.ts';
import type {
  CitedSource,
  Content,
  JsonRecord,
  Metadata,
  ModelFinishReason,
  ModelUsage,
  ModelWarning,
  Source,
} from './specification.ts';

/** A copy that is JSON: without fields that are `undefined`. */
export function jsonOf(value: unknown): JsonRecord {
  return JSON.parse(JSON.stringify(value));
}

/** What the AI SDK reports under the router's name, for logs and `router.feedback`. Contains no prompt and no answer. */
export function metadataOf(answer: Omit<Completion, 'object'> | Embeddings | Images): JsonRecord {
  const { callId, tier, target, provider, model, cost, latency, requestId, warnings, trail } =
    answer;
  const { cached, shared, serviceTier } = answer as Partial<Completion>;
  return jsonOf({
    ...{ callId, tier, target, provider, model, cost, latency, requestId, serviceTier },
    ...{ cached, shared, trail },
    ...(warnings.length > 0 && { warnings }),
  });
}

export function finishReasonOf(finish: {
  readonly finishReason: FinishReason;
  readonly rawFinishReason?: string;
}): ModelFinishReason {
  return { unified: finishReasons[finish.finishReason], raw: finish.rawFinishReason };
}

/** The AI SDK counts in the same way: totals include cached and reasoning tokens. */
export function usageOf(usage: Usage | undefined): ModelUsage {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens, raw } =
    usage ?? ({} as Partial<Usage>);
  return {
    inputTokens: {
      total: inputTokens,
      noCache: without(inputTokens, cachedInputTokens, cacheWriteTokens),
      cacheRead: cachedInputTokens,
      cacheWrite: cacheWriteTokens,
    },
    outputTokens: {
      total: outputTokens,
      text: without(outputTokens, reasoningTokens),
      reasoning: reasoningTokens,
    },
    ...(typeof raw === 'object' && raw !== null && !Array.isArray(raw) && { raw: jsonOf(raw) }),
  };
}

function without(
  total: number | undefined,
  ...parts: readonly (number | undefined)[]
): number | undefined {
  if (total === undefined) return undefined;
  return Math.max(
    0,
    parts.reduce((left: number, part) => left - (part ?? 0), total),
  );
}

const droppedCodes: readonly Warning['code'][] = ['dropped-param', 'dropped-part'];

export function warningOf({ code, param, message }: Warning): ModelWarning {
  if (param === undefined && !droppedCodes.includes(code)) return { type: 'other', message };
  const type = droppedCodes.includes(code) ? 'unsupported' : 'compatibility';
  return { type, feature: param ?? code, details: message };
}

/** Replay data travels in the AI SDK's messages and comes back in the options of the same part. */
export function replayOf(opaque: Opaque | undefined): { providerMetadata?: Metadata } {
  return opaque === undefined
    ? {}
    : { providerMetadata: { signalbox: { opaque: jsonOf(opaque) } } };
}

function sourceOf({ url, title, source }: Citation, id: string): Source {
  if (url !== undefined) {
    const page = { type: 'source', sourceType: 'url', id, url } as const;
    return title === undefined ? page : { ...page, title };
  }
  const mediaType = 'application/octet-stream';
  return { type: 'source', sourceType: 'document', id, mediaType, title: title ?? source ?? id };
}

export function citationsOf({ citations }: TextPart): { citations?: CitedSource[] } {
  if (citations === undefined || citations.length === 0) return {};
  return {
    citations: citations.map((citation) => ({
      // Unique in a run of several steps.
      source: sourceOf(citation, systemRuntime.createId('source')),
      ...(citation.start !== undefined && { startIndex: citation.start }),
      ...(citation.end !== undefined && { endIndex: citation.end }),
      ...(citation.citedText !== undefined && { citedText: citation.citedText }),
    })),
  };
}

/** The content of the AI SDK that a part of an answer is, besides text and reasoning. */
export type OtherContent = Exclude<Content, { type: 'text' | 'reasoning' }>;

function fileOf(source: Media): readonly OtherContent[] {
  if ('data' in source) {
    const { data, mediaType } = source;
    return [{ type: 'file', mediaType, data: { type: 'data', data } }];
  }
  if (!('url' in source)) return [];
  const { url, mediaType = 'application/octet-stream' } = source;
  return [{ type: 'file', mediaType, data: { type: 'url', url: new URL(url) } }];
}

export function otherContentOf(part: Part): readonly OtherContent[] {
  switch (part.type) {
    case 'tool-call': {
      const { id: toolCallId, name: toolName, input, rawInput, denied } = part;
      const call = {
        ...({ type: 'tool-call', toolCallId, toolName } as const),
        input: part.invalid === true && rawInput !== undefined ? rawInput : JSON.stringify(input),
        ...replayOf(part.opaque),
      };
      if (denied === undefined) return [call];
      // With its result, so that the AI SDK does not run it.
      const result = 'This call is not allowed.';
      return [
        { ...call, providerExecuted: true },
        { type: 'tool-result', toolCallId, toolName, result, isError: true },
      ];
    }
    case 'image':
    case 'audio':
    case 'file':
      return fileOf(part.source);
    case 'text':
    case 'refusal':
    case 'reasoning':
    case 'tool-result':
      return [];
    default:
      return part satisfies never;
  }
}

export function contentOf(parts: readonly Part[]): Content[] {
  return parts.flatMap((part): readonly Content[] => {
    if (part.type === 'refusal') return [{ type: 'text', text: part.text }];
    if (part.type === 'reasoning') {
      return [{ type: 'reasoning', text: part.text, ...replayOf(part.opaque) }];
    }
    if (part.type !== 'text') return otherContentOf(part);
    const cited = citationsOf(part);
    const text: Content = { type: 'text', text: part.text, ...cited, ...replayOf(part.opaque) };
    return [text, ...(cited.citations ?? []).map(({ source }) => source)];
  });
}

/** What a failed call throws. An abort is reported as `fetch` does, which the AI SDK expects. */
export function failureOf(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true && isSignalboxError(error, 'aborted') ? signal.reason : error;
}
