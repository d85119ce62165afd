import type { JsonObject } from '../../protocol/json.ts';
import { objectOf } from '../common/read.ts';
import type { AnswerEnd, ServedWire } from '../common/serve.ts';
import type { Frame, Turn, VendorError } from '../common/write.ts';
import { MessageWriter } from './answer-writer.ts';
import { readMessageRequest } from './client-request.ts';
import { errorBody, usualStatus } from './error-body.ts';

/** Writes only stop reasons that clients know. */
class ClientMessageWriter extends MessageWriter {
  override finish(end: AnswerEnd): readonly Frame[] {
    const { finishReason } = end;
    const isUnknown = finishReason === 'other' || finishReason === 'error';
    return super.finish(isUnknown ? { ...end, finishReason: 'stop' } : end);
  }

  override fail(error: VendorError): readonly Frame[] {
    return super.fail(clientError(error));
  }
}

/** The types of errors that follow from the status, and not from the kind. */
const typeByStatus: ReadonlyMap<number | undefined, string> = new Map([
  [402, 'billing_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [504, 'timeout_error'],
]);

/** The words by which clients recognise that they must shorten the conversation. */
const tooLong = 'prompt is too long';

function clientError(error: VendorError): VendorError {
  const { kind, status, message = '' } = error;
  return {
    ...error,
    code: typeByStatus.get(status),
    message: kind === 'context_length' ? `${tooLong}: ${message}` : message,
  };
}

/** Makes clients send the whole conversation instead of what is new. */
const withoutThread = { error_code: 'thread_unsupported_request', unsupported: ['thread'] };

function clientErrorBody(error: VendorError, turn: Turn): JsonObject {
  const body = errorBody(clientError(error), turn);
  if (error.param !== 'thread') return body;
  return { ...body, error: { ...objectOf(body.error), details: withoutThread } };
}

/** Anthropic's Messages API, for its clients. */
export const servedMessages: ServedWire = {
  read: readMessageRequest,
  writer: (turn, head) => new ClientMessageWriter(turn, head),
  errorBody: clientErrorBody,
  // Clients know a server that is busy by the vendor's own status.
  statusOf: ({ kind, status }) => (kind === 'overloaded' ? usualStatus(kind) : status),
  requestIdHeader: 'request-id',
  heartbeat: 'event: ping\ndata: {"type":"ping"}\n\n',
};
