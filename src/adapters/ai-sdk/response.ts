import { own } from '../../internal/own.ts';
import type { FinishReason, Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation, Opaque } from '../../protocol/message.ts';
import type { Watch } from '../../protocol/provider.ts';
import type { Usage } from '../../protocol/usage.ts';
import { type AnswerHeaders, requestIdOf } from '../../transport/answer.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { interruptedError } from '../../transport/network-error.ts';
import {
  isObject,
  listOf,
  objectOf,
  type Shape,
  ShapeCheck,
  shape,
  TokenCounts,
  textOf,
} from '../../wires/common/read.ts';
import {
  type AddPart,
  type AnswerOrigin,
  citation,
  finishWithCalls,
  PartAssembler,
} from '../../wires/common/read-answer.ts';
import { wire } from './request.ts';

/** A part of a stream or a whole answer of the AI SDK's specifications 2 to 4. */
const partShape: Shape = shape(
  `id delta text providerMetadata toolCallId toolName input result output isError preliminary providerExecuted dynamic
  title filename mediaType data url sourceType warnings timestamp modelId usage finishReason error rawValue approvalId
  kind logprobs`,
  {},
  `stream-start response-metadata text text-start text-delta text-end reasoning reasoning-start reasoning-delta
  reasoning-end reasoning-file tool-input-start tool-input-delta tool-input-end tool-call tool-result tool-error
  tool-approval-request source file custom finish raw error`,
);

const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
  error: 'error',
};

/** Before v3, all counts were at the top level. */
function countsOf(raw: JsonObject): { readonly input: JsonObject; readonly output: JsonObject } {
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

/** Converts the usage. The totals of the AI SDK include cached, cache-written and reasoning tokens. */
function usageOf(raw: unknown): Usage | undefined {
  const { input, output } = countsOf(objectOf(raw));
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

/** Before v3, the finish reason was a string. */
function reasonOf(raw: unknown): JsonObject {
  return typeof raw === 'string' ? { unified: raw } : objectOf(raw);
}

/** An error part of a stream: what the model's provider made of the vendor's error event. */
export class StreamError extends Error {
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super('the stream contains an error');
    this.cause = cause;
  }
}

export interface AnswerReader {
  /** Reads one part of a stream. */
  read(part: unknown): void;
  /** Reads a whole answer. */
  readWhole(result: unknown): void;
  isEnded(): boolean;
  finish(raw: unknown): void;
}

/** Reads one answer of an AI SDK model, as parts or as one result. */
export function createAnswerReader(
  origin: AnswerOrigin,
  headers: AnswerHeaders,
  watch: Watch,
  addPart: AddPart,
): AnswerReader {
  const shapes = new ShapeCheck(watch, headers);
  const assembler = new PartAssembler(addPart);
  let id: string | undefined;
  let servedModel: string | undefined;
  let usage: Usage | undefined;
  let reason: JsonObject | undefined;
  let calls = 0;
  const sources: Citation[] = [];

  const opaque = (part: JsonObject): Opaque | undefined =>
    isObject(part.providerMetadata)
      ? { wire, ...origin, kind: 'item', data: JSON.stringify(part.providerMetadata) }
      : undefined;

  function describe({ id: answerId, modelId }: JsonObject): void {
    id = textOf(answerId) ?? id;
    servedModel = textOf(modelId) ?? servedModel;
    const requestId = requestIdOf(headers);
    addPart({
      type: 'open',
      id,
      servedModel,
      requestId,
    });
  }

  function block(slot: string, type: 'text' | 'reasoning', part: JsonObject) {
    const replay = opaque(part);
    if (replay !== undefined) assembler.opaque(slot, replay);
    assembler.text(slot, type, textOf(part.delta) ?? textOf(part.text) ?? '');
    if (replay !== undefined) assembler.opaque(slot, replay);
  }

  /** Sources are separate parts. Those received so far are added to the next text that ends. */
  function citeSources(slot: string): void {
    for (const source of sources.splice(0)) assembler.cite(slot, () => source);
  }

  function addSource(part: JsonObject): void {
    const { url, title, id: sourceId, filename } = part;
    const fields = { url: textOf(url), title: textOf(title) ?? textOf(filename) };
    const source = fields.url === undefined ? textOf(sourceId) : undefined;
    checkCount(sources.push(citation({ ...fields, source }, part)), 'sources');
  }

  function toolCall(part: JsonObject): void {
    // The vendor ran this tool, so the caller does not answer the call.
    if (part.providerExecuted === true) return;
    const callId = textOf(part.toolCallId) ?? `call_${calls}`;
    const slot = `call ${callId}`;
    calls += 1;
    const whole = typeof part.input === 'string' ? part.input : JSON.stringify(part.input ?? {});
    if (!assembler.has(slot)) assembler.toolCall(slot, callId, textOf(part.toolName) ?? '');
    const input = assembler.inputOf(slot);
    // The whole call corrects its pieces.
    if (input?.isEmpty) assembler.toolInput(slot, whole);
    else input?.complete(whole);
    const replay = opaque(part);
    if (replay !== undefined) assembler.opaque(slot, replay);
    assembler.close(slot);
  }

  function file(part: JsonObject): void {
    const mediaType = textOf(part.mediaType) ?? 'application/octet-stream';
    const raw = isObject(part.data) ? part.data.data : part.data;
    const data = raw instanceof Uint8Array ? Buffer.from(raw).toString('base64') : textOf(raw);
    if (data === undefined) return;
    const type = mediaType.startsWith('image/') ? 'image' : 'file';
    addPart({ type: 'part-end', part: { type, source: { data, mediaType } } });
  }

  const readers: Readonly<Record<string, (part: JsonObject) => void>> = {
    'stream-start'({ warnings }) {
      for (const raw of listOf(warnings)) addPart({ type: 'warning', warning: warningOf(raw) });
    },
    'response-metadata': describe,
    'text-start': (part) => block(`text ${part.id}`, 'text', part),
    'text-delta': (part) => block(`text ${part.id}`, 'text', part),
    'text-end'(part) {
      block(`text ${part.id}`, 'text', part);
      citeSources(`text ${part.id}`);
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
      // Without a name the call starts later, at its `tool-call` part.
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
      shapes.check(part, partShape);
      const known = objectOf(part);
      if (known.type === 'error') throw new StreamError(known.error);
      if (known.type === 'source') addSource(known);
      if (known.type === 'finish') {
        usage = usageOf(known.usage) ?? usage;
        reason = reasonOf(known.finishReason);
      }
      own(readers, textOf(known.type) ?? '')?.(known);
    },
    readWhole(result) {
      shapes.check(objectOf(result).content, partShape);
      const whole = objectOf(result);
      describe(objectOf(whole.response));
      for (const raw of listOf(whole.warnings))
        addPart({ type: 'warning', warning: warningOf(raw) });
      const content = listOf(whole.content).map(objectOf);
      for (const part of content) if (part.type === 'source') addSource(part);
      const lastText = content.findLastIndex(({ type }) => type === 'text');
      for (const [index, part] of content.entries()) {
        if (part.type === 'source') continue;
        if (part.type === 'text' || part.type === 'reasoning') {
          block(`part ${index}`, part.type, part);
          if (index === lastText) citeSources(`part ${index}`);
          assembler.close(`part ${index}`);
        } else own(readers, textOf(part.type) ?? '')?.(part);
      }
      usage = usageOf(whole.usage);
      reason = reasonOf(whole.finishReason);
    },
    isEnded: () => reason !== undefined,
    finish(raw) {
      const unified = textOf(reason?.unified) ?? 'other';
      if (unified === 'interrupted') throw interruptedError('the model stopped during the answer');
      assembler.closeAll();
      const rawFinishReason = textOf(reason?.raw) ?? unified;
      const finishReason = own(finishReasons, unified) ?? 'other';
      addPart({
        type: 'finish',
        finishReason: finishWithCalls(finishReason, calls),
        rawFinishReason,
        id,
        servedModel,
        usage,
        raw,
      });
    },
  };
}
