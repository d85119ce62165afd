import assert from 'node:assert/strict';
import { SignalboxError } from '../../errors.ts';
import type { Transfer } from '../../protocol/request.ts';
import type { SingleFault } from '../simulator/faults.ts';
import {
  ask,
  type CaseBody,
  fail,
  germanText,
  lastRequest,
  type Subject,
  silentWatch,
  soon,
  succeed,
  until,
} from './probe.ts';

/** Longer than any case may take. */
const holdMs = 600_000;

/** Waits until the vendor has seen the client close the socket. */
async function assertSocketClosed(subject: Subject): Promise<void> {
  const entry = lastRequest(subject);
  await soon('the end of the connection', entry.done);
  assert.equal(entry.aborted, true, 'the client closed the socket');
  assert.equal(subject.simulator.openRequests, 0);
}

type Stage = {
  readonly fault: SingleFault;
  readonly transfer?: Transfer;
  /** Whether to abort now, by the number of text deltas so far. */
  readonly isReached: (subject: Subject, deltas: number) => boolean;
};

/** Aborts at a stage of the answer, and expects the socket to be closed. */
async function abortAt(subject: Subject, stage: Stage): Promise<void> {
  subject.simulator.answer(germanText);
  subject.simulator.fault(stage.fault);
  const controller = new AbortController();
  const reason = new SignalboxError('aborted', 'the caller aborted');
  let deltas = 0;
  const failing = fail(subject, {
    controller,
    transfer: stage.transfer ?? 'stream',
    onPart: (part) => {
      if (part.type === 'text-delta') deltas++;
      return undefined;
    },
  });
  // Awaited below.
  failing.catch(() => undefined);
  await until('the stage of the abort', () => stage.isReached(subject, deltas));
  controller.abort(reason);
  const { error } = await failing;
  assert.equal(error.code, 'aborted', "the caller's reason is thrown");
  await assertSocketClosed(subject);
}

const requestArrived = ({ simulator }: Subject): boolean => simulator.log.length === 1;
const headersSent = ({ simulator }: Subject): boolean => simulator.log[0]?.status === 200;

/** Aborts by the caller, and the events that keep an attempt alive. */
export const abortCases: Readonly<Record<string, CaseBody>> = {
  'sends nothing after an abort before the first read': async (subject) => {
    const controller = new AbortController();
    controller.abort(new SignalboxError('aborted', 'the caller aborted'));
    const { error } = await fail(subject, { controller });
    assert.equal(error.code, 'aborted');
    assert.equal(subject.simulator.log.length, 0);
  },

  'sends nothing before the first read': async (subject) => {
    const { signal } = new AbortController();
    const request = {
      provider: 'contract',
      model: subject.model,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello.' }] }],
    } as const;
    const context = { signal, transfer: 'stream', keepRaw: false, watch: silentWatch } as const;
    subject.provider.prepare(request).send(context);
    // A request of the first `send` would arrive before this one.
    await succeed(subject);
    assert.equal(subject.simulator.log.length, 1);
  },

  'closes the socket on an abort before the headers': (subject) =>
    abortAt(subject, { fault: { type: 'silence' }, isReached: requestArrived }),

  'closes the socket on an abort between the headers and the first part': (subject) =>
    abortAt(subject, {
      fault: { type: 'slow-first-token', ms: holdMs },
      isReached: headersSent,
    }),

  'closes the socket on an abort while waiting for a unary answer': (subject) =>
    abortAt(subject, {
      fault: { type: 'slow-first-token', ms: holdMs },
      transfer: 'unary',
      isReached: requestArrived,
    }),

  'closes the socket on an abort in the middle of a unary answer': (subject) =>
    abortAt(subject, {
      fault: { type: 'stall', afterEvents: 0 },
      transfer: 'unary',
      isReached: headersSent,
    }),

  'closes the socket on an abort of a stalled stream': (subject) =>
    abortAt(subject, {
      fault: { type: 'stall', afterEvents: subject.facts.midway },
      isReached: (_subject, deltas) => deltas > 0,
    }),

  'closes the socket when the reader stops in the middle': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'stall', afterEvents: subject.facts.midway });
    await ask(subject, {
      onPart: (part) => (part.type === 'text-delta' ? 'leave' : undefined),
    });
    await assertSocketClosed(subject);
  },

  'leaves no request open after reading an answer to its end': async (subject) => {
    await succeed(subject);
    await soon('the end of the answer', lastRequest(subject).done);
    assert.equal(lastRequest(subject).aborted, false);
    assert.equal(subject.simulator.openRequests, 0);
  },

  'reports the connection as soon as there is one': async (subject) => {
    subject.simulator.fault({ type: 'silence' });
    const controller = new AbortController();
    let connected = 0;
    const watch = { ...silentWatch, connected: () => void connected++ };
    const failing = fail(subject, { controller, watch });
    failing.catch(() => undefined);
    await until('the connection', () => connected === 1);
    // Otherwise it could arrive in the log of the next case.
    await until('the request', () => requestArrived(subject));
    controller.abort(new SignalboxError('aborted', 'the caller aborted'));
    await failing;
    assert.equal(connected, 1);
  },

  'reports bytes for keep-alive pings': async (subject) => {
    subject.simulator.answer(germanText);
    const { midway } = subject.facts;
    subject.simulator.fault({ type: 'stall-with-pings', afterEvents: midway, everyMs: 1 });
    const controller = new AbortController();
    let chunks = 0;
    const watch = { ...silentWatch, bytes: () => void chunks++ };
    const failing = fail(subject, { controller, watch });
    failing.catch(() => undefined);
    await until('the stall', () => subject.simulator.log[0]?.eventsSent === midway);
    const before = chunks;
    const wanted = midway + 3;
    await until('three pings', () => chunks >= before + wanted);
    controller.abort(new SignalboxError('aborted', 'the caller aborted'));
    await failing;
  },
};
