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

/** A request and everything that is needed to answer it. */
export type Job = {
  readonly script: Script;
  /** `undefined` for a path that no wire has. */
  readonly wire: WireWriter | undefined;
  readonly turn: Turn;
  readonly exchange: Exchange;
};

type KnownJob = Job & { readonly wire: WireWriter };

const htmlPage =
  '<!doctype html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n';

/** Answers one request: faults that replace the answer first, then the vendor's checks, then the answer. */
export async function respond(job: Job): Promise<void> {
  const { script, turn, exchange } = job;
  if (script.isDown) {
    exchange.entry.fault = 'down';
    return exchange.reset();
  }
  const wire = job.wire ?? script.vendor.wires[0];
  const known: KnownJob = { ...job, wire };
  if (job.wire === undefined) {
    const { method, path } = turn.request;
    return sendError(known, {
      kind: 'model_not_found',
      status: 404,
      message: `Nothing at ${method} ${path} (simulated).`,
    });
  }
  const fault = script.faults.take(turn.request);
  exchange.entry.fault = fault?.type;
  if (fault !== undefined && (await replaceAnswer(known, fault))) return;
  const error = check(known);
  if (error !== undefined) return sendError(known, error);
  await sendAnswer(known, fault);
}

/** Applies a fault that replaces the answer. Returns whether it is one. */
async function replaceAnswer(job: KnownJob, fault: SingleFault): Promise<boolean> {
  const { exchange } = job;
  if (fault.type === 'reset') exchange.reset();
  else if (fault.type === 'silence') await exchange.closed;
  else if (fault.type === 'status') await sendStatus(job, fault);
  else if (fault.type === 'json-error-200') await sendErrorAs200(job, fault.kind);
  else if (fault.type === 'error-in-stream' && !job.turn.request.stream)
    await sendErrorAs200(job, fault.kind);
  else if (fault.type === 'html')
    await deliverBody(200, { 'content-type': 'text/html; charset=utf-8' }, htmlPage, exchange);
  else if (fault.type === 'empty') await deliverBody(200, {}, '', exchange);
  else return false;
  return true;
}

/** Returns the vendor's error for an invalid request, in the order in which vendors check. */
function check({ script, wire, turn }: KnownJob): VendorError | undefined {
  const { key, model } = turn.request;
  if (key === undefined)
    return { kind: wire.missingKey, message: 'There is no API key (simulated).' };
  if (script.badKeys.includes(key)) return { kind: 'auth' };
  const complaint = wire.complaint(turn.request);
  if (complaint !== undefined) return { kind: 'invalid_request', message: complaint };
  if (script.models !== undefined && !script.models.includes(model)) {
    return { kind: 'model_not_found', message: `The model ${model} does not exist (simulated).` };
  }
  return undefined;
}

async function sendAnswer(job: KnownJob, fault: SingleFault | undefined): Promise<void> {
  const { script, wire, turn, exchange } = job;
  const { request } = turn;
  const { source } = script;
  const given = typeof source === 'function' ? await source(request) : source;
  const answer: SimulatedAnswer =
    typeof given === 'string'
      ? { text: given }
      : (given ?? defaultAnswer(script.vendor.name, request, wire.requestedOutput(request.body)));
  const delivery: Delivery = {
    wire,
    turn: { ...turn, answer: resolveAnswer(answer, request) },
    timing: answer,
    fault,
  };
  if (fault?.type === 'odd-bytes') exchange.splitInto(fault.size);
  const isStream =
    fault?.type === 'stream-anyway' || (request.stream && fault?.type !== 'ignore-stream');
  await (isStream ? deliverStream : deliverUnary)(delivery, exchange);
}

async function sendStatus(job: KnownJob, fault: StatusFault): Promise<void> {
  const kind = fault.kind ?? kindOfStatus(fault.status ?? 500);
  const { wire, turn, exchange } = job;
  const reply = wire.error({ ...fault, kind }, turn);
  const headers = { ...reply.headers, ...fault.headers };
  if (fault.body !== undefined) await deliverBody(reply.status, headers, fault.body, exchange);
  else await sendError(job, { ...fault, kind }, fault.headers);
}

async function sendError(
  { wire, turn, exchange }: KnownJob,
  error: VendorError,
  extraHeaders: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { status, headers, body } = wire.error(error, turn);
  // On Gemini a blocked prompt is a normal answer without candidates, which can be streamed.
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
  { wire, turn, exchange }: KnownJob,
  kind: VendorError['kind'] = 'server_error',
): Promise<void> {
  const { headers, body } = wire.error({ kind }, turn);
  await deliverBody(200, { ...headers, 'content-type': 'application/json' }, body, exchange);
}
