import type { ServedWire } from '../common/serve.ts';
import { openaiErrorObject } from '../openai-shared/write.ts';
import { readChatRequest } from './read-request.ts';
import { ChatWriter } from './write-answer.ts';

/** What clients get: OpenAI's fields, and reasoning where most compatible vendors have it. */
const dialect = {
  ownFields: { refusal: null, annotations: [] },
  reasoningField: 'reasoning_content',
} as const;

/** Chat Completions, for clients of the HTTP handler. */
export const servedChat: ServedWire = {
  read: readChatRequest,
  writer: (turn, { model }) =>
    new ChatWriter(turn, dialect, {
      form: turn.request.stream ? 'frames' : 'body',
      model,
      streamUsage: 'on-request',
      isWithoutText: false,
    }),
  errorBody: (error) => ({ error: openaiErrorObject(error) }),
};
