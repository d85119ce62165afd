import type { JsonObject } from '../../protocol/json.ts';
import { servedMessages } from '../../wires/anthropic/serve.ts';
import { type Ask, checkTier, jsonReply } from './ask.ts';
import { modelsOf, requestedModel } from './endpoints.ts';
import type { Reply } from './exchange.ts';

/** `POST /messages/count_tokens`: an estimate, as for limits and budgets. Nothing is sent to a vendor. */
export async function countTokens(ask: Ask): Promise<Reply> {
  const { model, messages, options } = servedMessages.read(ask.body);
  checkTier(ask, model);
  const { inputTokens } = await ask.router.explain(model, messages, { ...options, tags: ask.tags });
  return jsonReply({ input_tokens: inputTokens });
}

function modelInfo(id: string): JsonObject {
  return { type: 'model', id, display_name: id, created_at: '1970-01-01T00:00:00Z' };
}

/** `GET /models`, in one page */
export async function listMessagesModels(ask: Ask): Promise<Reply> {
  const ids = await modelsOf(ask);
  return jsonReply({
    data: ids.map(modelInfo),
    has_more: false,
    first_id: ids[0] ?? null,
    last_id: ids.at(-1) ?? null,
  });
}

/** `GET /models/{id}` */
export async function retrieveMessagesModel(ask: Ask): Promise<Reply> {
  return jsonReply(modelInfo(await requestedModel(ask)));
}
