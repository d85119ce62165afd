import type { SignalboxError } from '../../errors.ts';
import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import {
  httpFailure,
  maxMessageLength,
  type VendorError,
  vendorFailure,
} from '../common/classify.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { RejectedRequest } from '../common/stale-reference.ts';

/**
 * `error.status` (https://cloud.google.com/apis/design/errors) and the reasons in `details`, which take precedence.
 * `INVALID_ARGUMENT` adds nothing to the HTTP status and is not here.
 */
const codeByWord = {
  api_key_invalid: 'auth',
  api_key_expired: 'auth',
  access_token_expired: 'auth',
  service_disabled: 'permission',
  billing_disabled: 'quota_exhausted',
  model_capacity_exhausted: 'overloaded',
  spent: 'quota_exhausted',
  unauthenticated: 'auth',
  permission_denied: 'permission',
  // The account's country or plan: https://ai.google.dev/gemini-api/docs/troubleshooting
  failed_precondition: 'permission',
  not_found: 'model_not_found',
  resource_exhausted: 'rate_limited',
  unavailable: 'overloaded',
  internal: 'server_error',
  unknown: 'server_error',
  deadline_exceeded: 'server_error',
  cancelled: 'server_error',
  aborted: 'conflict',
} as const satisfies Record<string, AttemptErrorCode>;

/** {@link codeByWord} for errors inside a stream, which may have no status to fall back on. */
const codeByWordInStream = {
  ...codeByWord,
  invalid_argument: 'invalid_request',
  out_of_range: 'invalid_request',
} as const satisfies Record<string, AttemptErrorCode>;

/** Quotas that do not reset within minutes: daily quotas, quotas of zero, and prepaid credit. */
const spentPattern = /PerDay|per_day|limit: 0\b|credits? (?:are|is|have been) depleted/i;

/** The error object. The stream endpoint wraps it in a list when it is called without `alt=sse`. */
function errorOf(body: unknown): unknown {
  const whole = Array.isArray(body) ? body.find((each) => isObject(each) && 'error' in each) : body;
  return objectOf(whole).error;
}

/** A protobuf duration, such as `48s` or `1.5s`, in milliseconds. */
function durationMs(value: unknown): number | undefined {
  const [, seconds] = /^(\d+(?:\.\d+)?)s$/.exec(textOf(value) ?? '') ?? [];
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1000);
}

function readError(body: unknown): VendorError {
  const error = errorOf(body);
  const { message, status, details } = objectOf(error);
  const text = (textOf(message) ?? textOf(error) ?? textOf(body) ?? '').slice(0, maxMessageLength);
  const entries = listOf(details).map(objectOf);
  const violations = entries.flatMap(({ violations }) => listOf(violations)).map(objectOf);
  const isSpent =
    spentPattern.test(text) ||
    violations.some(({ quotaId }) => spentPattern.test(textOf(quotaId) ?? ''));
  const words = [
    isSpent && status === 'RESOURCE_EXHAUSTED' ? 'spent' : undefined,
    ...entries.map(({ reason }) => textOf(reason)),
    textOf(status),
  ];
  return {
    words: words.filter((word) => word !== undefined).map((word) => word.toLowerCase()),
    message: text,
    retryAfterMs: entries
      .map(({ retryDelay }) => durationMs(retryDelay))
      .find((delay) => delay !== undefined),
  };
}

/** The error of an HTTP error response. */
export function httpError(response: RejectedRequest): SignalboxError {
  return httpFailure(response, readError, codeByWord);
}

/** The error in the body of a 2xx answer or in an event of a stream. */
export function inBandError(body: unknown, headers: AnswerHeaders): SignalboxError {
  return vendorFailure(readError(body), codeByWordInStream, { headers, body });
}

/** Whether a body or event is an error. */
export function isErrorBody(body: unknown): boolean {
  const error = errorOf(body);
  return error !== undefined && error !== null;
}
