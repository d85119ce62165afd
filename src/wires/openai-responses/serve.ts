import type { ServedWire } from '../common/serve.ts';
import { openaiErrorObject } from '../openai-shared/write.ts';
import { readResponseRequest } from './client-request.ts';
import { ResponseWriter } from './write-answer.ts';

/** The Responses API, for clients of the HTTP handler. */
export const servedResponses: ServedWire = {
  read: readResponseRequest,
  writer: (turn, { model }) =>
    new ResponseWriter(turn, { form: turn.request.stream ? 'frames' : 'body', model }),
  errorBody: (error) => ({ error: openaiErrorObject(error) }),
};
