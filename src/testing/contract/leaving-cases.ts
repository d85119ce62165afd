import assert from 'node:assert/strict';
import { SignalboxError } from '../../errors.ts';
import type { Transfer } from '../../protocol/request.ts';
import type { SingleFault } from '../simulator/faults.ts';
import {
  ask,
  type CaseBody,
  deaf,
  fail,
  germanText,
  lastRequest,
  type Subject,
  soon,
  succeed,
  until,
} from './probe.ts';

/** So long that a case which waited for it would be late. */
const forEverMs = 60_000;

/** Waits until the vendor has seen that the client is gone. */
async function assertSocketClosed(subject: Subject): Promise<void> {
  const entry = lastRequest(subject);
  await soon('the end of the socket', entry.done);
  assert.equal(entry.aborted, true, 'the client closed the socket');
  assert.equal(subject.simulator.openRequests, 0);
}

type Stage = {
  readonly fault: SingleFault;
  readonly transfer?: Transfer;
  /** When the caller has enough. */
  readonly isReached: (subject: Subject, told: number) => boolean;
};

/** Aborts at a stage of the answer. */
async function abortAt(subject: Subject, stage: Stage): Promise<void> {
  subject.simulator.answer(germanText);
  subject.simulator.fault(stage.fault);
  const controller = new AbortController();
  const reason = new SignalboxError('aborted', 'the caller had enough');
  let told = 0;
  const failing = fail(subject, {
    controller,
    transfer: stage.transfer ?? 'stream',
    onPart: (part) => {
      if (part.type === 'text-delta') told++;
      return undefined;
    },
  });
  // Looked at below; until then nobody would handle it.
  failing.catch(() => undefined);
  await until('the stage of the abort', () => stage.isReached(subject, told));
  controller.abort(reason);
  const { error } = await failing;
  assert.equal(error.code, 'aborted', "the caller's own reason surfaces");
  await assertSocketClosed(subject);
}

const requestArrived = ({ simulator }: Subject): boolean => simulator.log.length === 1;
const headersSent = ({ simulator }: Subject): boolean => simulator.log[0]?.status === 200;

/** Ends that the caller makes, and signs of life on the way there. */
export const leavingCases: Readonly<Record<string, CaseBody>> = {
  'an abort before the first read sends nothing': async (subject) => {
    const controller = new AbortController();
    controller.abort(new SignalboxError('aborted', 'the caller had enough'));
    const { error } = await fail(subject, { controller });
    assert.equal(error.code, 'aborted');
    assert.equal(subject.simulator.log.length, 0);
  },

  'nothing is sent before the first read': async (subject) => {
    const { signal } = new AbortController();
    const request = {
      provider: 'contract',
      model: subject.model,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello.' }] }],
    } as const;
    const context = { signal, transfer: 'stream', keepRaw: false, watch: deaf } as const;
    subject.provider.prepare(request).send(context);
    // Had that one been sent, it would have arrived before this one.
    await succeed(subject);
    assert.equal(subject.simulator.log.length, 1);
  },

  'an abort before the headers closes the socket': (subject) =>
    abortAt(subject, { fault: { type: 'silence' }, isReached: requestArrived }),

  'an abort between headers and first part closes the socket': (subject) =>
    abortAt(subject, {
      fault: { type: 'slow-first-token', ms: forEverMs },
      isReached: headersSent,
    }),

  'an abort while a unary answer is awaited closes the socket': (subject) =>
    abortAt(subject, {
      fault: { type: 'slow-first-token', ms: forEverMs },
      transfer: 'unary',
      isReached: requestArrived,
    }),

  'an abort in the middle of a unary answer closes the socket': (subject) =>
    abortAt(subject, {
      fault: { type: 'stall', afterEvents: 0 },
      transfer: 'unary',
      isReached: headersSent,
    }),

  'an abort of a stalled stream closes the socket': (subject) =>
    abortAt(subject, {
      fault: { type: 'stall', afterEvents: subject.facts.midway },
      isReached: (_subject, told) => told > 0,
    }),

  'a reader who leaves in the middle closes the socket': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'stall', afterEvents: subject.facts.midway });
    await ask(subject, {
      onPart: (part) => (part.type === 'text-delta' ? 'leave' : undefined),
    });
    await assertSocketClosed(subject);
  },

  'an answer read to its end leaves no request open': async (subject) => {
    await succeed(subject);
    await soon('the end of the answer', lastRequest(subject).done);
    assert.equal(lastRequest(subject).aborted, false);
    assert.equal(subject.simulator.openRequests, 0);
  },

  'the connection is told as soon as there is one': async (subject) => {
    subject.simulator.fault({ type: 'silence' });
    const controller = new AbortController();
    let connected = 0;
    const watch = { ...deaf, connected: () => void connected++ };
    const failing = fail(subject, { controller, watch });
    failing.catch(() => undefined);
    await until('the connection', () => connected === 1);
    // Else it would arrive in the log of the next case.
    await until('the request', () => requestArrived(subject));
    controller.abort(new SignalboxError('aborted', 'the caller had enough'));
    await failing;
    assert.equal(connected, 1);
  },

  'keep-alive pings are signs of life': async (subject) => {
    subject.simulator.answer(germanText);
    const { midway } = subject.facts;
    subject.simulator.fault({ type: 'stall-with-pings', afterEvents: midway, everyMs: 1 });
    const controller = new AbortController();
    let signs = 0;
    const watch = { ...deaf, bytes: () => void signs++ };
    const failing = fail(subject, { controller, watch });
    failing.catch(() => undefined);
    await until('the stall', () => subject.simulator.log[0]?.eventsSent === midway);
    const before = signs;
    const wanted = midway + 3;
    await until('three pings', () => signs >= before + wanted);
    controller.abort(new SignalboxError('aborted', 'the caller had enough'));
    await failing;
  },
};
