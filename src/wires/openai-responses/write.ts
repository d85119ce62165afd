import type { JsonObject } from '../../protocol/json.ts';
import { listOf, objectOf, textOf } from '../common/read.ts';
import type { PartToWrite } from '../common/serve.ts';
import {
  type AnswerTurn,
  type RequestedOutput,
  splitText,
  type WireWriter,
} from '../common/write.ts';
import {
  openaiCredential,
  openaiError,
  openaiErrorObject,
  openaiHeaders,
} from '../openai-shared/write.ts';
import { ResponseWriter } from './write-answer.ts';

/** The stateless part of OpenAI's Responses API. A failed response has HTTP status 200, as with the vendor. */
export const openaiResponsesWire: WireWriter = {
  name: 'openai-responses',
  accepts: (path) => path.endsWith('/responses'),
  read: (_path, body) => ({
    model: textOf(body.model) ?? '',
    stream: body.stream === true,
  }),
  credential: openaiCredential,
  missingKey: 'auth',
  requestedOutput,
  complaint: ({ body, model }) => {
    if (model === '') return "Missing required parameter: 'model'.";
    const input = body.input;
    if (typeof input === 'string' || listOf(input).length > 0) return undefined;
    return "Missing required parameter: 'input'.";
  },
  headers: openaiHeaders,
  unary: (turn) => {
    const writer = writerOf(turn, 'body');
    for (const part of partsOf(turn)) writer.write(part);
    writer.finish(turn.answer);
    return writer.body();
  },
  frames: (turn) => {
    const writer = writerOf(turn, 'frames');
    return [
      ...writer.start(),
      ...partsOf(turn).flatMap((part) => writer.write(part)),
      ...writer.finish(turn.answer),
    ];
  },
  error: (error, turn) => {
    const reply = openaiError(error, turn);
    // Unlike Chat Completions, this wire answers 400 instead of 404, with `param` set.
    return error.kind === 'model_not_found'
      ? {
          ...reply,
          status: error.status ?? 400,
          body: { error: { ...openaiErrorObject(error), param: 'model' } },
        }
      : reply;
  },
  errorFrames: (error, turn, sent) => writerOf(turn, 'frames', sent).fail(error),
  keepAlive: ': keep-alive\n\n',
};

function requestedOutput(body: JsonObject): RequestedOutput {
  const format = objectOf(objectOf(body.text).format);
  const choice = body.tool_choice;
  return {
    schema: format.schema ?? (format.type === 'json_object' ? { type: 'object' } : undefined),
    tools: listOf(body.tools)
      .map(objectOf)
      .filter((tool) => tool.type === 'function')
      .map((tool) => ({ name: textOf(tool.name) ?? '', schema: tool.parameters })),
    forcedTool:
      choice === 'required'
        ? { name: undefined }
        : objectOf(choice).type === 'function'
          ? { name: textOf(objectOf(choice).name) }
          : undefined,
  };
}

function writerOf(turn: AnswerTurn, form: 'frames' | 'body', sent = 0): ResponseWriter {
  return new ResponseWriter(turn, {
    form,
    model: turn.answer.model,
    sent,
    phase: 'final_answer',
    unfinishedContent: 'unfinished',
  });
}

/** The parts of an answer: reasoning, message, function calls. */
function partsOf({ answer, request }: AnswerTurn): readonly PartToWrite[] {
  const { reasoning, reasoningSignature, refusal, text, chunks, toolCalls } = answer;
  const wantsSummary = objectOf(request.body.reasoning).summary !== undefined;
  const parts: PartToWrite[] = [];
  if (reasoningSignature !== undefined) {
    const summary = wantsSummary ? splitText(reasoning ?? '') : [];
    parts.push(...summary.map((delta) => ({ type: 'reasoning', delta }) as const), {
      type: 'reasoning-end',
      opaque: reasoningSignature,
    });
  }
  const type = refusal === undefined ? 'text' : 'refusal';
  // An answer without calls has a message, even an empty one.
  if (toolCalls.length === 0 || text !== '') {
    const deltas = refusal === undefined ? chunks : splitText(refusal);
    parts.push(...['', ...deltas].map((delta) => ({ type, delta }) as const));
  }
  for (const [index, { id, name, input, inputText }] of toolCalls.entries()) {
    const key = String(index);
    parts.push({ type: 'tool-call', key, id, name });
    // Arguments can be an empty text.
    for (const delta of ['', ...splitText(inputText)])
      parts.push({ type: 'tool-input', key, delta });
    parts.push({ type: 'tool-call-end', key, input });
  }
  return parts;
}
