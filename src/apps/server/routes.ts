import type { ServedWire } from '../../wires/common/serve.ts';
import { servedChat } from '../../wires/openai-chat/serve.ts';
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
};

function generates(wire: ServedWire): Endpoint {
  return { method: 'POST', wire, answer: (ask) => generate(ask, wire) };
}

const wire = servedChat;

/** By path. The wires that clients speak are rows. */
const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/chat/completions', generates(servedChat)],
  ['/embeddings', { method: 'POST', wire, answer: createEmbeddings }],
  ['/images/generations', { method: 'POST', wire, answer: createImages }],
  ['/models', { method: 'GET', wire, answer: listModels }],
]);

const model: Endpoint = { method: 'GET', wire, answer: retrieveModel };

const nothing: Endpoint = { method: 'GET', wire };

export function endpointAt(path: string): Endpoint {
  return endpoints.get(path) ?? (path.startsWith('/models/') ? model : nothing);
}
