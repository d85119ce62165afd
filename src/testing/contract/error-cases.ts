import assert from 'node:assert/strict';
import { summarizeError } from '../../errors.ts';
import type { VendorErrorKind } from '../../wires/common/write.ts';
import { ask, type CaseBody, fail, lastRequest, prompt, succeed } from './probe.ts';

const kinds = [
  'rate_limited',
  'quota_exhausted',
  'auth',
  'permission',
  'model_not_found',
  'context_length',
  'content_filter',
  'overloaded',
  'server_error',
  'invalid_request',
  'unsupported',
] as const satisfies readonly VendorErrorKind[];

const httpError = 400;

function kindCase(kind: VendorErrorKind): CaseBody {
  return async (subject) => {
    for (const transfer of ['stream', 'unary'] as const) {
      subject.simulator.clear();
      subject.simulator.fault({ type: 'status', kind });
      const { error, finish } = await ask(subject, { transfer });
      const { status = 0 } = lastRequest(subject);
      if (status < httpError) {
        // Some vendors answer a blocked prompt with status 200 and no content.
        assert.equal(finish?.finishReason, kind);
        continue;
      }
      assert.ok(error instanceof Error && 'code' in error && 'status' in error);
      assert.equal(error.code, kind);
      assert.equal(error.status, status);
      if (subject.facts.hasRequestId) {
        assert.match('requestId' in error ? String(error.requestId) : '', /^req_/);
      }
    }
  };
}

/** Statuses with a body that is not a vendor's error. */
const bareStatuses = {
  401: 'auth',
  403: 'permission',
  404: 'model_not_found',
  408: 'server_error',
  409: 'conflict',
  413: 'request_too_large',
  422: 'invalid_request',
  429: 'rate_limited',
  500: 'server_error',
  503: 'overloaded',
  529: 'overloaded',
} as const;

const kindCases = Object.fromEntries(
  kinds.map((kind): [string, CaseBody] => [
    `reports the vendor's "${kind}" error with its status and request id`,
    kindCase(kind),
  ]),
);

/** HTTP errors of the vendor. */
export const errorCases: Readonly<Record<string, CaseBody>> = {
  ...kindCases,

  'reports the wait that the vendor asks for': async (subject) => {
    subject.simulator.fault({ type: 'status', kind: 'rate_limited', retryAfterSeconds: 7 });
    const { error } = await fail(subject);
    assert.equal(error.retryAfterMs, 7_000);
  },

  'reports no wait when the vendor asks for none': async (subject) => {
    subject.simulator.fault({ type: 'status', kind: 'overloaded' });
    const { error } = await fail(subject);
    assert.equal(error.retryAfterMs, undefined);
  },

  'classifies a bare status by its usual meaning': async (subject) => {
    for (const [status, code] of Object.entries(bareStatuses)) {
      subject.simulator.clear();
      subject.simulator.fault({ type: 'status', status: Number(status), body: 'no' });
      const { error } = await fail(subject);
      assert.equal(error.code, code, `status ${status}`);
    }
  },

  'does not classify by a status number in the message': async (subject) => {
    const message = 'Error 429 in your prompt about rate limits, and 500 others (simulated).';
    subject.simulator.fault({ type: 'status', kind: 'invalid_request', message });
    const { error } = await fail(subject);
    assert.equal(error.code, 'invalid_request');
  },

  'sends one HTTP request per send(), without retries': async (subject) => {
    for (const kind of ['rate_limited', 'overloaded', 'server_error'] as const) {
      subject.simulator.reset();
      subject.simulator.fault({ type: 'status', kind, retryAfterSeconds: 0 });
      await fail(subject);
      assert.equal(subject.simulator.log.length, 1, kind);
    }
  },

  'keeps the key and the prompt out of error messages': async (subject) => {
    await succeed(subject);
    const { key } = lastRequest(subject);
    const message = `You sent key ${key} and the prompt ${prompt}`;
    const faults = [
      { type: 'status', kind: 'auth', message },
      { type: 'status', kind: 'invalid_request', message, code: message },
      { type: 'status', status: 500, body: message },
      { type: 'error-in-stream', afterEvents: 0, kind: 'server_error', message },
      { type: 'reset' },
    ] as const;
    for (const fault of faults) {
      subject.simulator.clear();
      subject.simulator.fault(fault);
      const { error } = await fail(subject);
      const reported = `${error.message} ${JSON.stringify(summarizeError(error))}`;
      assert.ok(!reported.includes(prompt), `no prompt in: ${reported}`);
      assert.ok(key === undefined || !reported.includes(key), 'no key in the message');
    }
  },
};
