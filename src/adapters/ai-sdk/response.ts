import { own } from '../../internal/own.ts';
import type { FinishReason, Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation, Opaque } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { requestIdOf } from '../../transport/body/response-metadata.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { citation } from '../../wires/common/citations.ts';
import { createPartAssembler, type Tell } from '../../wires/common/part-assembler.ts';
import { isObject, listOf, objectOf, textOf } from '../../wires/common/read.ts';
import { TokenCounts } from '../../wires/common/token-counts.ts';
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
  const counts = new TokenCounts();
  const inputTokens = counts.of(input.total);
  const outputTokens = counts.of(output.total);
  if (counts.isDoubtful) return undefined;
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  const cachedInputTokens = counts.of(input.cacheRead);
  const cacheWriteTokens = counts.of(input.cacheWrite);
  const reasoningTokens = counts.of(output.reasoning);
  return {
    inputTokens: inputTokens ?? 0,
    outputTokens: outputTokens ?? 0,
    totalTokens: (inputTokens ?? 0) + (outputTokens ?? 0),
    ...(cachedInputTokens !== undefined && { cachedInputTokens }),
    ...(cacheWriteTokens !== undefined && { cacheWriteTokens }),
    ...(reasoningTokens !== undefined && { reasoningTokens }),
    ...counts.certainty,
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
  read(part: unknown): void;
  /** A whole answer. */
  readWhole(result: unknown): void;
  isEnded(): boolean;
  finish(raw: unknown): void;
}

/** Reads one answer of an AI SDK model, as parts or as one result. */
export function createAnswerReader(
  issuer: Issuer,
  headers: AnswerHeaders,
  tell: Tell,
): AnswerReader {
  const assembler = createPartAssembler(tell);
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

  function describe({ id: answerId, modelId }: JsonObject): void {
    id = textOf(answerId) ?? id;
    servedModel = textOf(modelId) ?? servedModel;
    const requestId = requestIdOf(headers);
    tell({
      type: 'open',
      id,
      servedModel,
      requestId,
    });
  }

  function block(place: string, type: 'text' | 'reasoning', part: JsonObject) {
    const seal = opaque(part);
    if (seal !== undefined) assembler.opaque(place, seal);
    assembler.text(place, type, textOf(part.delta) ?? textOf(part.text) ?? '');
    if (seal !== undefined) assembler.opaque(place, seal);
  }

  /** Sources stand beside the text: those heard so far are the text's that ends next. */
  function citeAt(place: string): void {
    for (const source of sources.splice(0)) assembler.cite(place, () => source);
  }

  function hear(part: JsonObject): void {
    const { url, title, id: sourceId, filename } = part;
    const facts = { url: textOf(url), title: textOf(title) ?? textOf(filename) };
    const name = facts.url === undefined ? textOf(sourceId) : undefined;
    checkCount(sources.push(citation({ ...facts, source: name }, part)), 'sources');
  }

  function toolCall(part: JsonObject): void {
    // Tools that the vendor ran itself are no calls for the caller to answer.
    if (part.providerExecuted === true) return;
    const callId = textOf(part.toolCallId) ?? `call_${calls}`;
    const place = `call ${callId}`;
    calls += 1;
    if (!assembler.has(place)) {
      assembler.toolCall(place, callId, textOf(part.toolName) ?? '');
      assembler.toolInput(place, textOf(part.input) ?? JSON.stringify(part.input ?? {}));
    }
    const seal = opaque(part);
    if (seal !== undefined) assembler.opaque(place, seal);
    assembler.close(place);
  }

  function file(part: JsonObject): void {
    const mediaType = textOf(part.mediaType) ?? 'application/octet-stream';
    const held = isObject(part.data) ? part.data.data : part.data;
    const data = held instanceof Uint8Array ? Buffer.from(held).toString('base64') : textOf(held);
    if (data === undefined) return;
    const type = mediaType.startsWith('image/') ? 'image' : 'file';
    tell({ type: 'part-end', part: { type, source: { data, mediaType } } });
  }

  const readers: Readonly<Record<string, (part: JsonObject) => void>> = {
    'stream-start'({ warnings }) {
      for (const raw of listOf(warnings)) tell({ type: 'warning', warning: warningOf(raw) });
    },
    'response-metadata': describe,
    'text-start': (part) => block(`text ${part.id}`, 'text', part),
    'text-delta': (part) => block(`text ${part.id}`, 'text', part),
    'text-end'(part) {
      block(`text ${part.id}`, 'text', part);
      citeAt(`text ${part.id}`);
      assembler.close(`text ${part.id}`);
    },
    'reasoning-start': (part) => block(`reasoning ${part.id}`, 'reasoning', part),
    'reasoning-delta': (part) => block(`reasoning ${part.id}`, 'reasoning', part),
    'reasoning-end'(part) {
      block(`reasoning ${part.id}`, 'reasoning', part);
      assembler.close(`reasoning ${part.id}`);
    },
    'tool-input-start'(part) {
      const name = textOf(part.toolName);
      // Without its name it is not begun yet: the whole call has it.
      if (part.providerExecuted === true || name === undefined) return;
      const callId = textOf(part.id) ?? '';
      assembler.toolCall(`call ${callId}`, callId, name);
    },
    'tool-input-delta': (part) => assembler.toolInput(`call ${part.id}`, textOf(part.delta) ?? ''),
    'tool-call': toolCall,
    file,
  };

  return {
    read(part) {
      const known = objectOf(part);
      if (known.type === 'error') throw known.error;
      if (known.type === 'source') hear(known);
      if (known.type === 'finish') {
        usage = usageOf(known.usage) ?? usage;
        reason = reasonOf(known.finishReason);
      }
      own(readers, textOf(known.type) ?? '')?.(known);
    },
    readWhole(result) {
      const whole = objectOf(result);
      describe(objectOf(whole.response));
      for (const raw of listOf(whole.warnings)) tell({ type: 'warning', warning: warningOf(raw) });
      const content = listOf(whole.content).map(objectOf);
      for (const part of content) if (part.type === 'source') hear(part);
      const lastText = content.findLastIndex(({ type }) => type === 'text');
      for (const [index, part] of content.entries()) {
        if (part.type === 'source') continue;
        if (part.type === 'text' || part.type === 'reasoning') {
          block(`part ${index}`, part.type, part);
          if (index === lastText) citeAt(`part ${index}`);
          assembler.close(`part ${index}`);
        } else own(readers, textOf(part.type) ?? '')?.(part);
      }
      usage = usageOf(whole.usage);
      reason = reasonOf(whole.finishReason);
    },
    isEnded: () => reason !== undefined,
    finish(raw) {
      const unified = textOf(reason?.unified) ?? 'other';
      if (unified === 'interrupted') throw interruptedError('the model stopped in the middle');
      assembler.closeAll();
      const rawFinishReason = textOf(reason?.raw) ?? unified;
      const finishReason = own(finishReasons, unified) ?? 'other';
      tell({
        type: 'finish',
        finishReason: finishReason === 'stop' && calls > 0 ? 'tool_calls' : finishReason,
        rawFinishReason,
        id,
        servedModel,
        usage,
        raw,
      });
    },
  };
}
