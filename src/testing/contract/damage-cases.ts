import assert from 'node:assert/strict';
import type { SingleFault } from '../simulator/faults.ts';
import { type CaseBody, fail, germanText, lastRequest, type Subject, succeed } from './probe.ts';

/** Expects a failure with `code` after a part of the text. */
async function failMidway(subject: Subject, fault: SingleFault, code: string): Promise<void> {
  subject.simulator.answer(germanText);
  subject.simulator.fault(fault);
  const { text, error } = await fail(subject);
  assert.equal(error.code, code);
  assert.ok(text !== '' && text !== germanText, 'the text before the failure was yielded');
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

/** Later than any event: the fault occurs just before the finish. */
const atTheEnd = 1_000;

/** Answers that are damaged or do not arrive. */
export const damageCases: Readonly<Record<string, CaseBody>> = {
  'reports a cut connection as stream_interrupted, after the text before it': (subject) =>
    failMidway(subject, { type: 'cut', afterEvents: subject.facts.midway }, 'stream_interrupted'),

  'reports a truncated stream as stream_interrupted': (subject) =>
    failMidway(
      subject,
      { type: 'truncate', afterEvents: subject.facts.midway },
      'stream_interrupted',
    ),

  'reports a complete text without its end as stream_interrupted': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'truncate', afterEvents: atTheEnd });
    const { error } = await fail(subject);
    assert.equal(error.code, 'stream_interrupted');
  },

  'reports half of a unary answer as stream_interrupted': async (subject) => {
    subject.simulator.answer(germanText);
    for (const type of ['cut', 'truncate'] as const) {
      subject.simulator.clear();
      subject.simulator.fault({ type, afterEvents: 0 });
      const { error } = await fail(subject, { transfer: 'unary' });
      assert.equal(error.code, 'stream_interrupted');
    }
  },

  'skips one malformed event with a warning': async (subject) => {
    subject.simulator.answer(germanText);
    subject.simulator.fault({ type: 'malformed', atEvent: subject.facts.midway - 1 });
    const { parts, text } = await succeed(subject);
    const warnings = parts.flatMap((part) =>
      part.type === 'warning' ? [part.warning.code as string] : [],
    );
    assert.deepEqual(warnings, ['malformed-event']);
    assert.ok(text !== '' && germanText.endsWith(text.slice(-1)), 'the rest was read');
  },

  'throws an error inside a stream, after the text before it': (subject) =>
    failMidway(
      subject,
      { type: 'error-in-stream', afterEvents: subject.facts.midway, kind: 'overloaded' },
      'overloaded',
    ),

  'throws an error that is the first event of a stream': async (subject) => {
    for (const kind of ['overloaded', 'rate_limited', 'server_error'] as const) {
      subject.simulator.clear();
      subject.simulator.fault({ type: 'error-in-stream', afterEvents: 0, kind });
      const { error, text } = await fail(subject);
      assert.equal(error.code, kind);
      assert.equal(text, '');
    }
  },

  'throws an error with status 200': async (subject) => {
    await failWith(subject, { type: 'json-error-200', kind: 'server_error' }, 'server_error');
    await failWith(subject, { type: 'json-error-200', kind: 'rate_limited' }, 'rate_limited');
  },

  'reports a web page with status 200 as invalid_response': (subject) =>
    failWith(subject, { type: 'html' }, 'invalid_response'),

  'reports an empty body with status 200 as invalid_response': (subject) =>
    failWith(subject, { type: 'empty' }, 'invalid_response'),

  'reports unrelated JSON with status 200 as invalid_response': (subject) =>
    failWith(
      subject,
      { type: 'status', status: 200, body: { hello: 'world' } },
      'invalid_response',
    ),

  'reports a web page with status 502 as server_error': (subject) =>
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

  'reports a reset connection as connection': async (subject) => {
    await failWith(subject, { type: 'reset' }, 'connection');
    assert.equal(subject.simulator.log.length, 2, 'one HTTP request per send()');
  },

  'does not follow a redirect': async (subject) => {
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
