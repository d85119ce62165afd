import type { Completion } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Router } from '../../protocol/router.ts';
import type { ClientRequest } from '../../wires/common/serve.ts';
import type { Turn } from '../../wires/common/write.ts';
import type { Access } from './access.ts';
import type { Exchange, Reply } from './exchange.ts';
import { unknownModel } from './problems.ts';

/** The methods of a router that the handler uses. */
export type ServedRouter = Pick<
  Router,
  'complete' | 'stream' | 'embed' | 'image' | 'describe' | 'explain'
>;

/** An authenticated request, and what is needed to answer it. */
export type Ask = {
  readonly router: ServedRouter;
  readonly exchange: Exchange;
  readonly access: Access;
  /** The path below `basePath`. */
  readonly path: string;
  /** Empty for a request without one. */
  readonly body: JsonObject;
  /** The tags of the calls: the key's, and those of the client that are allowed. */
  readonly tags: Readonly<Record<string, string>>;
  readonly heartbeatMs: number;
  /** Unique in the process. Letters and digits. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly at: number;
};

/** @throws HttpProblem for a tier that the key has no access to, as for one that does not exist */
export function checkTier({ access, exchange }: Ask, model: string): void {
  if (access.tiers !== undefined && !access.tiers.includes(model)) throw unknownModel();
  exchange.note?.({ tier: model });
}

/** The request as writers see it: without headers and key. */
export function turnOf(
  { exchange, path, body, serial, at }: Ask,
  { model, stream }: Pick<ClientRequest, 'model' | 'stream'>,
): Turn {
  const { method } = exchange;
  const request = {
    wire: undefined,
    method,
    path,
    headers: {},
    body,
    model,
    stream,
    key: undefined,
  };
  return { request, serial, at };
}

/** The headers of an answer, for a key that may see them. */
export function exposed(
  { access, exchange }: Ask,
  { target, callId, cost }: Partial<Pick<Completion, 'target' | 'callId' | 'cost'>>,
): Readonly<Record<string, string>> {
  if (target !== undefined) exchange.note?.({ target });
  if (access.expose !== true) return {};
  return {
    ...(target !== undefined && { 'x-signalbox-target': target }),
    ...(callId !== undefined && { 'x-signalbox-call-id': callId }),
    ...(typeof cost?.usd === 'number' && { 'x-signalbox-cost-usd': String(cost.usd) }),
  };
}

export function jsonReply(body: JsonObject, headers: Reply['headers'] = {}, status = 200): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}
