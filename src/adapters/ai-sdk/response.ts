import type { FinishReason, Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation, Opaque } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { requestIdOf } from '../../transport/response-facts.ts';
import { citation } from '../common/citations.ts';
import { createPartAssembler } from '../common/part-assembler.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import { wire } from './request.ts';

export type Issuer = { readonly provider: string; readonly model: string };

const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
  error: 'error',
};

/** Before v3 the counts stood side by side. */
function sidesOf(raw: JsonObject): { readonly input: JsonObject; readonly output: JsonObject } {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = raw;
  return {
    input: isObject(inputTokens)
      ? inputTokens
      : { total: inputTokens, cacheRead: cachedInputTokens },
    output: isObject(outputTokens)
      ? outputTokens
      : { total: outputTokens, reasoning: reasoningTokens },
  };
}

/** Counts of the AI SDK, whose totals include what is cached, written and reasoned. */
function usageOf(raw: unknown): Usage | undefined {
  const { input, output } = sidesOf(objectOf(raw));
  const inputTokens = countOf(input.total);
  const outputTokens = countOf(output.total);
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  const cachedInputTokens = countOf(input.cacheRead);
  const cacheWriteTokens = countOf(input.cacheWrite);
  const reasoningTokens = countOf(output.reasoning);
  return {
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    totalTokens: (inputTokens ?? 0) + (outputTokens ?? 0),
    ...(cachedInputTokens !== undefined && { cachedInputTokens }),
    ...(cacheWriteTokens !== undefined && { cacheWriteTokens }),
    ...(reasoningTokens !== undefined && { reasoningTokens }),
    raw: objectOf(raw).raw ?? raw,
  };
}

function warningOf(raw: unknown): Warning {
  const { type, feature, setting, details, message } = objectOf(raw);
  const param = textOf(feature) ?? textOf(setting);
  return {
    code: String(type).startsWith('unsupported') ? 'dropped-param' : 'compat',
    ...(param !== undefined && { param }),
    message: textOf(details) ?? textOf(message) ?? `the model's provider reports ${String(type)}`,
  };
}

/** Before v3 the reason was a word. */
function reasonOf(raw: unknown): JsonObject {
  return typeof raw === 'string' ? { unified: raw } : objectOf(raw);
}

export interface AnswerReader {
  /** One part of a stream. */
  read(part: unknown): Generator<ProviderPart>;
  /** A whole answer. */
  readWhole(result: unknown): Generator<ProviderPart>;
  isEnded(): boolean;
  finish(raw: { readonly raw?: unknown }): Generator<ProviderPart>;
}

/** Reads one answer of an AI SDK model, as parts or as one result. */
export function createAnswerReader(issuer: Issuer, headers: Headers): AnswerReader {
  const assembler = createPartAssembler();
  let id: string | undefined;
  let servedModel: string | undefined;
  let usage: Usage | undefined;
  let reason: JsonObject | undefined;
  let calls = 0;
  const sources: Citation[] = [];

  const opaque = (part: JsonObject): Opaque | undefined =>
    isObject(part.providerMetadata)
      ? { wire, ...issuer, kind: 'item', data: JSON.stringify(part.providerMetadata) }
      : undefined;

  function* describe({ id: answerId, modelId }: JsonObject): Generator<ProviderPart> {
    id = textOf(answerId) ?? id;
    servedModel = textOf(modelId) ?? servedModel;
    const requestId = requestIdOf(headers);
    yield {
      type: 'open',
      ...(id !== undefined && { id }),
      ...(servedModel !== undefined && { servedModel }),
      ...(requestId !== undefined && { requestId }),
    };
  }

  function* block(place: string, type: 'text' | 'reasoning', part: JsonObject) {
    const told = opaque(part);
    if (told !== undefined) assembler.opaque(place, told);
    yield* assembler.text(place, type, textOf(part.delta) ?? textOf(part.text) ?? '');
    if (told !== undefined) assembler.opaque(place, told);
  }

  /** Sources stand beside the text: those heard so far are the text's that ends next. */
  function citeAt(place: string): void {
    for (const source of sources.splice(0)) assembler.cite(place, () => source);
  }

  function hear(part: JsonObject): void {
    const { url, title, id: sourceId, filename } = part;
    const facts = { url: textOf(url), title: textOf(title) ?? textOf(filename) };
    const name = facts.url === undefined ? textOf(sourceId) : undefined;
    sources.push(citation({ ...facts, source: name }, part));
  }

  function* toolCall(part: JsonObject): Generator<ProviderPart> {
    // Tools that the vendor ran itself are no calls for the caller to answer.
    if (part.providerExecuted === true) return;
    const callId = textOf(part.toolCallId) ?? `call_${calls}`;
    const place = `call ${callId}`;
    calls += 1;
    if (!assembler.has(place)) {
      yield* assembler.toolCall(place, callId, textOf(part.toolName) ?? '');
      yield* assembler.toolInput(place, textOf(part.input) ?? JSON.stringify(part.input ?? {}));
    }
    const told = opaque(part);
    if (told !== undefined) assembler.opaque(place, told);
    yield* assembler.close(place);
  }

  function* file(part: JsonObject): Generator<ProviderPart> {
    const mediaType = textOf(part.mediaType) ?? 'application/octet-stream';
    const held = isObject(part.data) ? part.data.data : part.data;
    const data = held instanceof Uint8Array ? Buffer.from(held).toString('base64') : textOf(held);
    if (data === undefined) return;
    const type = mediaType.startsWith('image/') ? 'image' : 'file';
    yield { type: 'part-end', part: { type, source: { data, mediaType } } };
  }

  const readers: Readonly<Record<string, (part: JsonObject) => Generator<ProviderPart>>> = {
    *'stream-start'({ warnings }) {
      for (const raw of listOf(warnings)) yield { type: 'warning', warning: warningOf(raw) };
    },
    'response-metadata': describe,
    'text-start': (part) => block(`text ${part.id}`, 'text', part),
    'text-delta': (part) => block(`text ${part.id}`, 'text', part),
    *'text-end'(part) {
      yield* block(`text ${part.id}`, 'text', part);
      citeAt(`text ${part.id}`);
      yield* assembler.close(`text ${part.id}`);
    },
    'reasoning-start': (part) => block(`reasoning ${part.id}`, 'reasoning', part),
    'reasoning-delta': (part) => block(`reasoning ${part.id}`, 'reasoning', part),
    *'reasoning-end'(part) {
      yield* block(`reasoning ${part.id}`, 'reasoning', part);
      yield* assembler.close(`reasoning ${part.id}`);
    },
    *'tool-input-start'(part) {
      if (part.providerExecuted === true) return;
      const callId = textOf(part.id) ?? '';
      yield* assembler.toolCall(`call ${callId}`, callId, textOf(part.toolName) ?? '');
    },
    'tool-input-delta': (part) => assembler.toolInput(`call ${part.id}`, textOf(part.delta) ?? ''),
    'tool-call': toolCall,
    file,
  };

  return {
    *read(part) {
      const known = objectOf(part);
      if (known.type === 'error') throw known.error;
      if (known.type === 'source') hear(known);
      if (known.type === 'finish') {
        usage = usageOf(known.usage) ?? usage;
        reason = reasonOf(known.finishReason);
      }
      yield* readers[textOf(known.type) ?? '']?.(known) ?? [];
    },
    *readWhole(result) {
      const whole = objectOf(result);
      yield* describe(objectOf(whole.response));
      for (const raw of listOf(whole.warnings)) yield { type: 'warning', warning: warningOf(raw) };
      const content = listOf(whole.content).map(objectOf);
      for (const part of content) if (part.type === 'source') hear(part);
      const lastText = content.findLastIndex(({ type }) => type === 'text');
      for (const [index, part] of content.entries()) {
        if (part.type === 'source') continue;
        if (part.type === 'text' || part.type === 'reasoning') {
          yield* block(`part ${index}`, part.type, part);
          if (index === lastText) citeAt(`part ${index}`);
          yield* assembler.close(`part ${index}`);
        } else yield* readers[textOf(part.type) ?? '']?.(part) ?? [];
      }
      usage = usageOf(whole.usage);
      reason = reasonOf(whole.finishReason);
    },
    isEnded: () => reason !== undefined,
    *finish(raw) {
      const unified = textOf(reason?.unified) ?? 'other';
      if (unified === 'interrupted') throw interruptedError('the model stopped in the middle');
      yield* assembler.closeAll();
      const rawFinishReason = textOf(reason?.raw) ?? unified;
      const finishReason = finishReasons[unified] ?? 'other';
      yield {
        type: 'finish',
        finishReason: finishReason === 'stop' && calls > 0 ? 'tool_calls' : finishReason,
        rawFinishReason,
        ...(id !== undefined && { id }),
        ...(servedModel !== undefined && { servedModel }),
        ...(usage !== undefined && { usage }),
        ...raw,
      };
    },
  };
}
