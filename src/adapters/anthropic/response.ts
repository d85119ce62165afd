import { SignalboxError } from '../../errors.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { citation } from '../common/citations.ts';
import { createPartAssembler } from '../common/part-assembler.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { AnswerFacts, AnswerReader } from '../common/read-answer.ts';
import { inBandError, isErrorBody } from './errors.ts';
import { mergeUsage, toUsage } from './usage.ts';

const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_calls',
  pause_turn: 'pause',
  refusal: 'refusal',
  model_context_window_exceeded: 'context_length',
};

/** Who made the answer, for the replay data in it. */
export type Issuer = { readonly provider: string; readonly model: string };

/** A block that is not text, thinking or a call of the caller's tools, such as a server tool's result. */
type ForeignBlock = { readonly block: JsonObject; input: string };

export function notAMessage(): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    'the answer is not an Anthropic message: check baseURL and any proxy in between',
  );
}

export function createAnswerReader(
  issuer: Issuer,
  { headers, requestId, tell }: AnswerFacts,
): AnswerReader {
  const assembler = createPartAssembler(tell);
  const foreign = new Map<string, ForeignBlock>();
  /** Arguments that came whole with the start of a call; used unless they also come in pieces. */
  const wholeInputs = new Map<string, unknown>();
  let id: string | undefined;
  let begun = false;
  let servedModel: string | undefined;
  let usage: JsonObject | undefined;
  let stopReason: string | undefined;
  let stopDetails: JsonObject = {};
  let complete = false;

  const opaque = (kind: Opaque['kind'], data: string): Opaque => ({
    wire: 'anthropic',
    ...issuer,
    kind,
    data,
  });

  /** A block's citations support the whole of its text; the places they name are those of the source. */
  function cite(place: string, told: unknown): void {
    const { document_index, document_title, title, cited_text, url, source, file_id } =
      objectOf(told);
    const index = countOf(document_index);
    const facts = {
      url: textOf(url),
      title: textOf(document_title) ?? textOf(title),
      citedText: textOf(cited_text),
      source: textOf(source) ?? textOf(file_id) ?? (index === undefined ? undefined : `${index}`),
    };
    assembler.cite(place, () => citation(facts, told));
  }

  function start(message: JsonObject): void {
    const newId = textOf(message.id);
    if (begun) {
      // Gateways repeat the event; a lost and retried upstream splices a second answer into the first.
      if (newId === id) return;
      throw interruptedError('a second answer began inside the first');
    }
    begun = true;
    id = newId;
    servedModel = textOf(message.model);
    usage = mergeUsage(usage, message.usage);
    tell({
      type: 'open',
      id,
      servedModel,
      requestId,
    });
  }

  function startBlock(place: string, block: JsonObject): void {
    switch (block.type) {
      case 'text':
        assembler.text(place, 'text', textOf(block.text) ?? '');
        for (const told of listOf(block.citations)) cite(place, told);
        break;
      case 'thinking': {
        assembler.text(place, 'reasoning', textOf(block.thinking) ?? '');
        const signature = textOf(block.signature);
        if (signature !== undefined) assembler.opaque(place, opaque('signature', signature));
        break;
      }
      case 'redacted_thinking':
        assembler.text(place, 'reasoning', '');
        assembler.opaque(place, opaque('redacted', textOf(block.data) ?? ''));
        break;
      case 'tool_use':
        assembler.toolCall(place, textOf(block.id) ?? `call_${place}`, textOf(block.name) ?? '');
        if (isObject(block.input) && Object.keys(block.input).length > 0) {
          wholeInputs.set(place, block.input);
        }
        break;
      case 'fallback':
        // The vendor let another of its models answer.
        servedModel = textOf(objectOf(block.to).model) ?? servedModel;
        break;
      default:
        foreign.set(place, { block, input: '' });
    }
  }

  function continueBlock(place: string, delta: JsonObject): void {
    switch (delta.type) {
      case 'text_delta':
        assembler.text(place, 'text', textOf(delta.text) ?? '');
        break;
      case 'thinking_delta':
        assembler.text(place, 'reasoning', textOf(delta.thinking) ?? '');
        break;
      case 'signature_delta': {
        const signature = textOf(delta.signature);
        if (signature !== undefined) assembler.opaque(place, opaque('signature', signature));
        break;
      }
      case 'input_json_delta': {
        const piece = textOf(delta.partial_json);
        const block = foreign.get(place);
        if (piece === undefined) break;
        if (block !== undefined) block.input += piece;
        wholeInputs.delete(place);
        assembler.toolInput(place, piece);
        break;
      }
      case 'citations_delta':
        cite(place, delta.citation);
        break;
      default:
      // What later versions add changes nothing in what the model said.
    }
  }

  function stopBlock(place: string): void {
    const whole = wholeInputs.get(place);
    if (whole !== undefined) assembler.toolInput(place, JSON.stringify(whole));
    const block = foreign.get(place);
    if (block !== undefined) {
      // Kept without being shown: a paused turn and a server tool's citations need it back.
      assembler.text(place, 'reasoning', '');
      assembler.opaque(place, opaque('item', JSON.stringify(withInput(block))));
    }
    assembler.close(place);
  }

  function end(event: JsonObject): void {
    const delta = objectOf(event.delta);
    usage = mergeUsage(usage, event.usage);
    stopReason = textOf(delta.stop_reason) ?? stopReason;
    if (isObject(delta.stop_details)) stopDetails = delta.stop_details;
  }

  function read(event: unknown): void {
    if (isErrorBody(event)) throw inBandError(event, headers);
    const data = objectOf(event);
    const place = String(countOf(data.index) ?? 0);
    switch (data.type) {
      case 'message_start':
        start(objectOf(data.message));
        // For a stream that is cut.
        if (usage !== undefined) tell({ type: 'usage', usage: toUsage(usage) });
        break;
      case 'content_block_start':
        begun = true;
        startBlock(place, objectOf(data.content_block));
        break;
      case 'content_block_delta':
        continueBlock(place, objectOf(data.delta));
        break;
      case 'content_block_stop':
        stopBlock(place);
        break;
      case 'message_delta':
        end(data);
        break;
      case 'message_stop':
        complete = true;
        break;
      default:
      // `ping`, and events that later versions add.
    }
  }

  const isEnded = (): boolean => complete || stopReason !== undefined;

  return {
    readEvent: read,
    readBody(body) {
      if (isErrorBody(body)) throw inBandError(body, headers);
      const message = objectOf(body);
      if (!Array.isArray(message.content)) throw notAMessage();
      start(message);
      for (const [index, block] of listOf(message.content).entries()) {
        startBlock(String(index), objectOf(block));
        stopBlock(String(index));
      }
      end({ delta: message });
      complete = true;
    },
    isComplete: () => complete,
    isEnded,
    // After the stop reason only `message_stop` is missing, which says nothing more.
    forgives: isEnded,
    isBegun: () => begun,
    finish(raw) {
      assembler.closeAll();
      const serviceTier = textOf(usage?.service_tier);
      const detail = textOf(stopDetails.category) ?? textOf(stopDetails.explanation);
      tell({
        type: 'finish',
        finishReason: finishReasons[stopReason ?? ''] ?? 'other',
        rawFinishReason: stopReason,
        finishDetail: detail,
        id,
        servedModel,
        serviceTier,
        usage: usage && toUsage(usage),
        raw,
      });
    },
  };
}

function withInput({ block, input }: ForeignBlock): JsonObject {
  if (input === '') return block;
  try {
    return { ...block, input: JSON.parse(input) };
  } catch {
    return block;
  }
}
