import type { ServedWire } from '../../wires/common/serve.ts';
import { servedChat } from '../../wires/openai-chat/serve.ts';
import { servedResponses } from '../../wires/openai-responses/serve.ts';
import type { Ask } from './ask.ts';
import { createEmbeddings, createImages, listModels, retrieveModel } from './endpoints.ts';
import type { Reply } from './exchange.ts';
import { generate } from './generate.ts';

/** What answers at a path. Without `answer`, nothing does. */
export type Endpoint = {
  readonly method: 'GET' | 'POST';
  /** The wire of its errors. */
  readonly wire: Pick<ServedWire, 'errorBody'>;
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

const model: Endpoint = { method: 'GET', wire, answer: retrieveModel };

const storedResponse: Endpoint = {
  method: 'GET',
  wire: servedResponses,
  absence: 'Responses are not stored here: keep the output, and send it with the next input.',
};

const nothing: Endpoint = { method: 'GET', wire };

export function endpointAt(path: string): Endpoint {
  const endpoint = endpoints.get(path);
  if (endpoint !== undefined) return endpoint;
  if (path.startsWith('/responses/resp_')) return storedResponse;
  return path.startsWith('/models/') ? model : nothing;
}
