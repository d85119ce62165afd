import { servedMessages } from '../../wires/anthropic/serve.ts';
import type { ServedWire } from '../../wires/common/serve.ts';
import { servedChat } from '../../wires/openai-chat/serve.ts';
import { servedResponses } from '../../wires/openai-responses/serve.ts';
import type { Ask } from './ask.ts';
import { createEmbeddings, createImages, listModels, retrieveModel } from './endpoints.ts';
import type { Exchange, Reply } from './exchange.ts';
import { generate } from './generate.ts';
import { countTokens, listMessagesModels, retrieveMessagesModel } from './messages-endpoints.ts';

/** How a wire writes errors. */
export type ErrorWire = Pick<ServedWire, 'errorBody' | 'statusOf' | 'requestIdHeader'>;

/** What answers at a path. Without `answer`, nothing does. */
export type Endpoint = {
  readonly method: 'GET' | 'POST';
  /** The wire of its errors. */
  readonly wire: ErrorWire;
  readonly answer?: (ask: Ask) => Promise<Reply>;
  /** Why nothing answers, if that is more than an unknown path. */
  readonly absence?: string;
};

function generates(wire: ServedWire): Endpoint {
  return { method: 'POST', wire, answer: (ask) => generate(ask, wire) };
}

const wire = servedChat;

/** By path. The wires that clients speak are rows. */
const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/chat/completions', generates(servedChat)],
  ['/responses', generates(servedResponses)],
  ['/embeddings', { method: 'POST', wire, answer: createEmbeddings }],
  ['/images/generations', { method: 'POST', wire, answer: createImages }],
  ['/models', { method: 'GET', wire, answer: listModels }],
]);

/** Those of Anthropic's clients. */
const messagesEndpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/messages', generates(servedMessages)],
  ['/messages/count_tokens', { method: 'POST', wire: servedMessages, answer: countTokens }],
  ['/models', { method: 'GET', wire: servedMessages, answer: listMessagesModels }],
]);

const model: Endpoint = { method: 'GET', wire, answer: retrieveModel };

const storedResponse: Endpoint = {
  method: 'GET',
  wire: servedResponses,
  absence: 'Responses are not stored here: keep the output, and send it with the next input.',
};

const messagesModel: Endpoint = {
  method: 'GET',
  wire: servedMessages,
  answer: retrieveMessagesModel,
};

/** Anthropic's clients send the version of their API, and list models at the same path as others. */
export function endpointAt(path: string, { header }: Pick<Exchange, 'header'>): Endpoint {
  const isModel = path.startsWith('/models/');
  if (header('anthropic-version') !== undefined || /^\/messages(?:\/|$)/.test(path)) {
    const nothing: Endpoint = { method: 'GET', wire: servedMessages };
    return messagesEndpoints.get(path) ?? (isModel ? messagesModel : nothing);
  }
  if (path.startsWith('/responses/resp_')) return storedResponse;
  return endpoints.get(path) ?? (isModel ? model : { method: 'GET', wire });
}
