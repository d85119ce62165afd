import type { JsonObject } from '../../protocol/json.ts';
import type { AnswerTurn, Frame, WireWriter } from '../../wires/common/write.ts';
import type { SimulatedAnswer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { SingleFault } from './faults.ts';
import { pause } from './pause.ts';

/** An answer to send, and the fault that it is sent with. */
export type Delivery = {
  readonly wire: WireWriter;
  readonly turn: AnswerTurn;
  readonly timing: Pick<SimulatedAnswer, 'chunkDelayMs' | 'firstTokenDelayMs' | 'headers'>;
  readonly fault: SingleFault | undefined;
};

const half = 0.5;

/** Sends the answer as server-sent events. */
export async function deliverStream(delivery: Delivery, exchange: Exchange): Promise<void> {
  const { wire, turn, timing, fault } = delivery;
  const frames = framesToSend(wire.frames(turn), fault);
  const lastIndex = stopIndex(frames, fault);
  exchange.head(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    ...wire.headers(turn),
    ...timing.headers,
  });
  let waitMs = firstTokenDelayMs(delivery);
  for (const [index, frame] of frames.slice(0, lastIndex).entries()) {
    if (frame.role !== 'preamble') {
      await pause(waitMs, exchange.signal);
      waitMs = frame.role === 'content' ? (timing.chunkDelayMs ?? 0) : 0;
    }
    const broken = fault?.type === 'malformed' && fault.atEvent === index;
    await writeFrame(broken ? firstHalf(frame) : frame, delivery, exchange);
  }
  if (fault?.type === 'error-in-stream') {
    for (const frame of wire.errorFrames(fault, turn, lastIndex)) {
      await writeFrame(frame, delivery, exchange);
    }
  }
  await finish(delivery, exchange);
}

/** Sends the answer as one JSON body. */
export async function deliverUnary(delivery: Delivery, exchange: Exchange): Promise<void> {
  const { wire, turn, timing, fault } = delivery;
  const text = JSON.stringify(wire.unary(turn));
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    ...wire.headers(turn),
    ...timing.headers,
  };
  await pause(firstTokenDelayMs(delivery), exchange.signal);
  exchange.head(200, headers);
  await exchange.write(isCutShort(fault) ? text.slice(0, text.length * half) : text);
  await finish(delivery, exchange);
}

/** Sends any body. */
export async function deliverBody(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: unknown,
  exchange: Exchange,
): Promise<void> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  exchange.head(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    ...headers,
  });
  await exchange.write(text);
  await exchange.end();
}

/** Sends these events as the complete answer, with status 200. */
export async function deliverFrames(
  frames: readonly Frame[],
  headers: Readonly<Record<string, string>>,
  exchange: Exchange,
): Promise<void> {
  exchange.head(200, { 'content-type': 'text/event-stream', ...headers });
  for (const frame of frames) await exchange.write(encode(frame, '\n'));
  exchange.entry.eventsSent += frames.length;
  await exchange.end();
}

function firstTokenDelayMs({ fault, timing }: Delivery): number {
  return fault?.type === 'slow-first-token' ? fault.ms : (timing.firstTokenDelayMs ?? 0);
}

function framesToSend(frames: readonly Frame[], fault: SingleFault | undefined): readonly Frame[] {
  return fault?.type === 'no-done' ? frames.filter(({ role }) => role !== 'end') : frames;
}

/** Number of frames to send. A stream that is truncated or fails does not send its finish. */
function stopIndex(frames: readonly Frame[], fault: SingleFault | undefined): number {
  if (fault === undefined || !('afterEvents' in fault)) return frames.length;
  const unfinished = frames.findIndex(({ role }) => role === 'finish');
  const neverFinishes = fault.type === 'truncate' || fault.type === 'error-in-stream';
  return Math.min(fault.afterEvents, neverFinishes ? unfinished : frames.length);
}

function isCutShort(fault: SingleFault | undefined): boolean {
  return fault !== undefined && ('afterEvents' in fault || fault.type === 'malformed');
}

async function finish({ fault, wire }: Delivery, exchange: Exchange): Promise<void> {
  if (fault?.type === 'cut') return exchange.cut();
  if (fault?.type === 'stall') return exchange.closed;
  if (fault?.type === 'stall-with-pings') {
    while (!exchange.signal.aborted) {
      await pause(fault.everyMs, exchange.signal);
      await exchange.write(wire.keepAlive);
    }
    return;
  }
  await exchange.end();
}

async function writeFrame(frame: Frame, { fault }: Delivery, exchange: Exchange): Promise<void> {
  if (exchange.signal.aborted) return;
  await exchange.write(encode(frame, fault?.type === 'crlf' ? '\r\n' : '\n'));
  exchange.entry.eventsSent += 1;
}

function firstHalf(frame: Frame): Frame {
  const text = dataText(frame.data);
  return { ...frame, data: text.slice(0, Math.ceil(text.length * half)) };
}

function encode({ event, data }: Frame, newline: string): string {
  const lines = [...(event === undefined ? [] : [`event: ${event}`]), `data: ${dataText(data)}`];
  return `${lines.join(newline)}${newline}${newline}`;
}

function dataText(data: JsonObject | string): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}
