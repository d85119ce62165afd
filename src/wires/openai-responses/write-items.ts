import type { JsonObject } from '../../protocol/json.ts';
import { objectOf } from '../common/read.ts';
import { type AnswerTurn, type CallToWrite, type Frame, splitText } from '../common/write.ts';

/** One output item of a response: the events that stream it, and the finished item. */
export type ResponseItem = { readonly frames: readonly Frame[]; readonly done: JsonObject };

/** The output items of an answer: reasoning, message, function calls. */
export function responseItems(turn: AnswerTurn): readonly ResponseItem[] {
  const { answer } = turn;
  const builders = [
    ...(answer.reasoningSignature === undefined ? [] : [reasoningItem]),
    ...(answer.toolCalls.length > 0 && answer.text === '' ? [] : [messageItem]),
    ...answer.toolCalls.map(functionCallItem),
  ];
  return builders.map((build, outputIndex) => build(turn, outputIndex));
}

function reasoningItem(turn: AnswerTurn, outputIndex: number): ResponseItem {
  const { answer, request, serial } = turn;
  const id = `rs_${serial}`;
  const wantsSummary = objectOf(request.body.reasoning).summary !== undefined;
  const text = wantsSummary ? (answer.reasoning ?? '') : '';
  const item = (summary: readonly JsonObject[], encrypted: string | undefined): JsonObject => ({
    id,
    type: 'reasoning',
    content: [],
    encrypted_content: encrypted,
    summary,
  });
  const part = (content: string): JsonObject => ({ type: 'summary_text', text: content });
  const location = { item_id: id, output_index: outputIndex, summary_index: 0 };
  const done = item(text === '' ? [] : [part(text)], answer.reasoningSignature);
  const type = 'response.reasoning_summary';
  const summary =
    text === ''
      ? []
      : [
          frame(`${type}_part.added`, { ...location, part: part('') }),
          ...splitText(text).map((delta) => frame(`${type}_text.delta`, { ...location, delta })),
          frame(`${type}_text.done`, { ...location, text }),
          frame(`${type}_part.done`, { ...location, part: part(text) }),
        ];
  // As with the vendor, the opening item contains an unfinished blob. Only the finished one may be replayed.
  return surrounded(item([], 'unfinished'), summary, done, outputIndex);
}

function messageItem(turn: AnswerTurn, outputIndex: number): ResponseItem {
  const { answer, serial } = turn;
  const id = `msg_${serial}`;
  const refused = answer.refusal !== undefined;
  const text = answer.refusal ?? answer.text;
  const part = (content: string): JsonObject =>
    refused
      ? { type: 'refusal', refusal: content }
      : { type: 'output_text', annotations: [], logprobs: [], text: content };
  const item = (status: string, content: readonly JsonObject[]): JsonObject => ({
    id,
    type: 'message',
    status,
    content,
    phase: 'final_answer',
    role: 'assistant',
  });
  const location = { content_index: 0, item_id: id, output_index: outputIndex };
  const name = refused ? 'response.refusal' : 'response.output_text';
  const extra = refused ? {} : { logprobs: [] };
  const chunks = refused ? splitText(text) : answer.chunks;
  const unfinished = answer.finishReason === 'length' || answer.finishReason === 'content_filter';
  return surrounded(
    item('in_progress', []),
    [
      frame('response.content_part.added', { ...location, part: part('') }),
      ...chunks.map((delta) => frame(`${name}.delta`, { ...location, delta, ...extra })),
      frame(`${name}.done`, { ...location, ...(refused ? { refusal: text } : { text }), ...extra }),
      frame('response.content_part.done', { ...location, part: part(text) }),
    ],
    item(unfinished ? 'incomplete' : 'completed', [part(text)]),
    outputIndex,
  );
}

function functionCallItem(
  call: CallToWrite,
  index: number,
): (turn: AnswerTurn, outputIndex: number) => ResponseItem {
  return (turn, outputIndex) => {
    const id = `fc_${turn.serial}${index}`;
    const item = (status: string, inputText: string): JsonObject => ({
      id,
      type: 'function_call',
      status,
      arguments: inputText,
      call_id: call.id ?? `call_${turn.serial}${index}`,
      name: call.name,
    });
    const location = { item_id: id, output_index: outputIndex };
    const { inputText } = call;
    const type = 'response.function_call_arguments';
    return surrounded(
      item('in_progress', ''),
      [
        ...splitText(inputText).map((delta) => frame(`${type}.delta`, { ...location, delta })),
        frame(`${type}.done`, { ...location, arguments: inputText }),
      ],
      item('completed', inputText),
      outputIndex,
    );
  };
}

function surrounded(
  added: JsonObject,
  between: readonly Frame[],
  done: JsonObject,
  outputIndex: number,
): ResponseItem {
  const location = { output_index: outputIndex };
  return {
    frames: [
      frame('response.output_item.added', { ...location, item: added }),
      ...between,
      frame('response.output_item.done', { ...location, item: done }),
    ],
    done,
  };
}

function frame(type: string, fields: JsonObject): Frame {
  return { event: type, data: { type, ...fields }, role: 'content' };
}
