import assert from 'node:assert/strict';
import type { SingleFault } from '../simulator/faults.ts';
import { type CaseBody, fail, germanText, lastRequest, type Subject, succeed } from './probe.ts';

/** Fails after a part of the text, with what must come of it. */
async function breakMidway(subject: Subject, fault: SingleFault, code: string): Promise<void> {
  subject.simulator.answer(germanText);
  subject.simulator.fault(fault);
  const { text, error } = await fail(subject);
  assert.equal(error.code, code);
  assert.ok(text !== '' && text !== germanText, 'what had arrived was told');
  assert.ok(germanText.startsWith(text));
}

async function failWith(subject: Subject, fault: SingleFault, code: string): Promise<void> {
  for (const transfer of ['stream', 'unary'] as const) {
    subject.simulator.clear();
    subject.simulator.fault(fault);
    const { error, text } = await fail(subject, { transfer });
    assert.equal(error.code, code, `by ${transfer}`);
    assert.equal(text, '');
  }
}

/** Later than any event: the fault strikes just before the vendor says that it has finished. */
const atTheEnd = 1_000;

/** Answers that do not arrive as they were sent, or not at all. */
export const damageCases: Readonly<Record<string, CaseBody>> = {
  'a cut connection is an interruption, after what was sent': (subject) =>
    breakMidway(subject, { type: 'cut', afterEvents: subject.facts.midway }, 'stream_interrupted'),

  'a stream that ends politely in the middle is an interruption': (subject) =>
    breakMidway(
      subject,
      { type: 'truncate', afterEvents: subject.facts.midway },
      'stream_interrupted',
    ),

  'all of the text without the end marker is still an interruption': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'truncate', afterEvents: atTheEnd });
    const { error } = await fail(subject);
    assert.equal(error.code, 'stream_interrupted');
  },

  'half of a unary answer is an interruption': async (subject) => {
    subject.simulator.answer(germanText);
    for (const type of ['cut', 'truncate'] as const) {
      subject.simulator.clear();
      subject.simulator.fault({ type, afterEvents: 0 });
      const { error } = await fail(subject, { transfer: 'unary' });
      assert.equal(error.code, 'stream_interrupted');
    }
  },

  'one malformed event is skipped with a warning': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'malformed', atEvent: subject.facts.midway - 1 });
    const { parts, text } = await succeed(subject);
    const warnings = parts.flatMap((part) =>
      part.type === 'warning' ? [part.warning.code as string] : [],
    );
    assert.deepEqual(warnings, ['malformed-event']);
    assert.ok(text !== '' && germanText.endsWith(text.slice(-1)), 'the rest was read');
  },

  'an error inside a stream is that error, after what was sent': (subject) =>
    breakMidway(
      subject,
      { type: 'error-in-stream', afterEvents: subject.facts.midway, kind: 'overloaded' },
      'overloaded',
    ),

  'an error as the first event of a stream is that error': async (subject) => {
    for (const kind of ['overloaded', 'rate_limited', 'server_error'] as const) {
      subject.simulator.clear();
      subject.simulator.fault({ type: 'error-in-stream', afterEvents: 0, kind });
      const { error, text } = await fail(subject);
      assert.equal(error.code, kind);
      assert.equal(text, '');
    }
  },

  'an error with status 200 is that error': async (subject) => {
    await failWith(subject, { type: 'json-error-200', kind: 'server_error' }, 'server_error');
    await failWith(subject, { type: 'json-error-200', kind: 'rate_limited' }, 'rate_limited');
  },

  'a web page with status 200 is no answer': (subject) =>
    failWith(subject, { type: 'html' }, 'invalid_response'),

  'nothing with status 200 is no answer': (subject) =>
    failWith(subject, { type: 'empty' }, 'invalid_response'),

  'JSON of another kind with status 200 is no answer': (subject) =>
    failWith(
      subject,
      { type: 'status', status: 200, body: { hello: 'world' } },
      'invalid_response',
    ),

  'a web page with status 502 is an error of the server': (subject) =>
    failWith(
      subject,
      {
        type: 'status',
        status: 502,
        headers: { 'content-type': 'text/html' },
        body: '<html><body>Bad gateway</body></html>',
      },
      'server_error',
    ),

  'a reset connection is a connection error': async (subject) => {
    await failWith(subject, { type: 'reset' }, 'connection');
    assert.equal(subject.simulator.log.length, 2, 'one HTTP request for each send');
  },

  'a redirect is not followed': async (subject) => {
    subject.simulator.fault({
      type: 'status',
      status: 302,
      headers: { location: `${subject.simulator.baseURL}/elsewhere` },
    });
    const { error } = await fail(subject);
    assert.equal(error.code, 'invalid_response');
    assert.equal(subject.simulator.log.length, 1);
    assert.ok(!lastRequest(subject).path.endsWith('/elsewhere'));
  },
};
