import type { Turn, VendorError, WireWriter } from '../../wires/common/write.ts';
import { resolveAnswer, type SimulatedAnswer } from './answer.ts';
import { defaultAnswer } from './default-answer.ts';
import {
  type Delivery,
  deliverBody,
  deliverFrames,
  deliverStream,
  deliverUnary,
} from './deliver.ts';
import type { Exchange } from './exchange.ts';
import { kindOfStatus, type SingleFault, type StatusFault } from './faults.ts';
import type { Script } from './script.ts';

/** A request, and all that is needed to answer it. */
export type Errand = {
  readonly script: Script;
  /** Absent for a path that no wire knows. */
  readonly wire: WireWriter | undefined;
  readonly turn: Turn;
  readonly exchange: Exchange;
};

type KnownErrand = Errand & { readonly wire: WireWriter };

const htmlPage =
  '<!doctype html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n';

/** Answers one request. First the faults that need no understanding of it, then the vendor's own checks, then the answer. */
export async function respond(errand: Errand): Promise<void> {
  const { script, turn, exchange } = errand;
  if (script.isDown) {
    exchange.entry.fault = 'down';
    return exchange.reset();
  }
  const wire = errand.wire ?? script.vendor.wires[0];
  const known: KnownErrand = { ...errand, wire };
  if (errand.wire === undefined) {
    const { method, path } = turn.request;
    return sendError(known, {
      kind: 'model_not_found',
      status: 404,
      message: `Nothing at ${method} ${path} (simulated).`,
    });
  }
  const fault = script.faults.take(turn.request);
  exchange.entry.fault = fault?.type;
  if (fault !== undefined && (await strike(known, fault))) return;
  const objection = object(known);
  if (objection !== undefined) return sendError(known, objection);
  await sendAnswer(known, fault);
}

/** Faults that replace the answer. Returns whether this was one. */
async function strike(errand: KnownErrand, fault: SingleFault): Promise<boolean> {
  const { exchange } = errand;
  if (fault.type === 'reset') exchange.reset();
  else if (fault.type === 'silence') await exchange.closed;
  else if (fault.type === 'status') await sendStatus(errand, fault);
  else if (fault.type === 'json-error-200') await sendErrorAs200(errand, fault.kind);
  else if (fault.type === 'error-in-stream' && !errand.turn.request.stream)
    await sendErrorAs200(errand, fault.kind);
  else if (fault.type === 'html')
    await deliverBody(200, { 'content-type': 'text/html; charset=utf-8' }, htmlPage, exchange);
  else if (fault.type === 'empty') await deliverBody(200, {}, '', exchange);
  else return false;
  return true;
}

/** What the vendor has against the request, in the order in which vendors look. */
function object({ script, wire, turn }: KnownErrand): VendorError | undefined {
  const { key, model } = turn.request;
  if (key === undefined) return { kind: wire.missingKey, message: 'No API key came (simulated).' };
  if (script.badKeys.includes(key)) return { kind: 'auth' };
  const complaint = wire.complaint(turn.request);
  if (complaint !== undefined) return { kind: 'invalid_request', message: complaint };
  if (script.models !== undefined && !script.models.includes(model)) {
    return { kind: 'model_not_found', message: `The model ${model} does not exist (simulated).` };
  }
  return undefined;
}

async function sendAnswer(errand: KnownErrand, fault: SingleFault | undefined): Promise<void> {
  const { script, wire, turn, exchange } = errand;
  const { request } = turn;
  const { source } = script;
  const told = typeof source === 'function' ? await source(request) : source;
  const answer: SimulatedAnswer =
    typeof told === 'string'
      ? { text: told }
      : (told ?? defaultAnswer(script.vendor.name, request, wire.requestedOutput(request.body)));
  const delivery: Delivery = {
    wire,
    turn: { ...turn, answer: resolveAnswer(answer, request) },
    timing: answer,
    fault,
  };
  if (fault?.type === 'odd-bytes') exchange.splitInto(fault.size);
  const streams =
    fault?.type === 'stream-anyway' || (request.stream && fault?.type !== 'ignore-stream');
  await (streams ? deliverStream : deliverUnary)(delivery, exchange);
}

async function sendStatus(errand: KnownErrand, fault: StatusFault): Promise<void> {
  const kind = fault.kind ?? kindOfStatus(fault.status ?? 500);
  const { wire, turn, exchange } = errand;
  const reply = wire.error({ ...fault, kind }, turn);
  const headers = { ...reply.headers, ...fault.headers };
  if (fault.body !== undefined) await deliverBody(reply.status, headers, fault.body, exchange);
  else await sendError(errand, { ...fault, kind }, fault.headers);
}

async function sendError(
  { wire, turn, exchange }: KnownErrand,
  error: VendorError,
  extraHeaders: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { status, headers, body } = wire.error(error, turn);
  // A blocked prompt on Gemini is a good answer without candidates, so it streams like one.
  if (status === 200 && turn.request.stream) {
    return deliverFrames(
      [{ data: body, role: 'finish' }],
      { ...headers, ...extraHeaders },
      exchange,
    );
  }
  await deliverBody(status, { ...headers, ...extraHeaders }, body, exchange);
}

async function sendErrorAs200(
  { wire, turn, exchange }: KnownErrand,
  kind: VendorError['kind'] = 'server_error',
): Promise<void> {
  const { headers, body } = wire.error({ kind }, turn);
  await deliverBody(200, { ...headers, 'content-type': 'application/json' }, body, exchange);
}
