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
        // A blocked prompt may be a good answer that says nothing.
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

/** Statuses whose body says nothing that a vendor's error would. */
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
    `the vendor's word for "${kind}" is read, with status and request id`,
    kindCase(kind),
  ]),
);

/** What the vendor says when it refuses. */
export const errorCases: Readonly<Record<string, CaseBody>> = {
  ...kindCases,

  'the wait that the vendor asks for is told': async (subject) => {
    subject.simulator.fault({ type: 'status', kind: 'rate_limited', retryAfterSeconds: 7 });
    const { error } = await fail(subject);
    assert.equal(error.retryAfterMs, 7_000);
  },

  'no wait is made up': async (subject) => {
    subject.simulator.fault({ type: 'status', kind: 'overloaded' });
    const { error } = await fail(subject);
    assert.equal(error.retryAfterMs, undefined);
  },

  'a bare status is read for what it usually means': async (subject) => {
    for (const [status, code] of Object.entries(bareStatuses)) {
      subject.simulator.clear();
      subject.simulator.fault({ type: 'status', status: Number(status), body: 'no' });
      const { error } = await fail(subject);
      assert.equal(error.code, code, `status ${status}`);
    }
  },

  'the number of a status in a message does not decide': async (subject) => {
    const message = 'Error 429 in your prompt about rate limits, and 500 others (simulated).';
    subject.simulator.fault({ type: 'status', kind: 'invalid_request', message });
    const { error } = await fail(subject);
    assert.equal(error.code, 'invalid_request');
  },

  'each failing send is one HTTP request: nothing is tried again': async (subject) => {
    for (const kind of ['rate_limited', 'overloaded', 'server_error'] as const) {
      subject.simulator.reset();
      subject.simulator.fault({ type: 'status', kind, retryAfterSeconds: 0 });
      await fail(subject);
      assert.equal(subject.simulator.log.length, 1, kind);
    }
  },

  'neither key nor prompt is in the message of an error': async (subject) => {
    await succeed(subject);
    const { key } = lastRequest(subject);
    const said = `You sent key ${key} and the prompt ${prompt}`;
    const faults = [
      { type: 'status', kind: 'auth', message: said },
      { type: 'status', kind: 'invalid_request', message: said, code: said },
      { type: 'status', status: 500, body: said },
      { type: 'error-in-stream', afterEvents: 0, kind: 'server_error', message: said },
      { type: 'reset' },
    ] as const;
    for (const fault of faults) {
      subject.simulator.clear();
      subject.simulator.fault(fault);
      const { error } = await fail(subject);
      const told = `${error.message} ${JSON.stringify(summarizeError(error))}`;
      assert.ok(!told.includes(prompt), `no prompt in: ${told}`);
      assert.ok(key === undefined || !told.includes(key), 'no key in the message');
    }
  },
};
