import type { AnswerEnd, ServedWire } from '../common/serve.ts';
import type { Frame } from '../common/write.ts';
import { MessageWriter } from './answer-writer.ts';
import { readMessageRequest } from './client-request.ts';
import { errorBody } from './error-body.ts';

/** Writes only stop reasons that clients know. */
class ClientMessageWriter extends MessageWriter {
  override finish(end: AnswerEnd): readonly Frame[] {
    const { finishReason } = end;
    const isUnknown = finishReason === 'other' || finishReason === 'error';
    return super.finish(isUnknown ? { ...end, finishReason: 'stop' } : end);
  }
}

/** Anthropic's Messages API, for its clients. */
export const messagesServed: ServedWire = {
  read: readMessageRequest,
  writer: (turn, head) => new ClientMessageWriter(turn, head),
  errorBody,
};
