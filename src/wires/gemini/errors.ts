import type { SignalboxError } from '../../errors.ts';
import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { HttpError } from '../../transport/body/read-reply.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import {
  maxMessageLength,
  refusalFailure,
  type VendorError,
  vendorFailure,
} from '../common/classify.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';

/**
 * `error.status` (https://cloud.google.com/apis/design/errors) and the reasons in its details, which come
 * first. `INVALID_ARGUMENT` says no more than its status and is not here.
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

/** In a stream there may be no status to fall back on. */
const codeByWordInStream = {
  ...codeByWord,
  invalid_argument: 'invalid_request',
  out_of_range: 'invalid_request',
} as const satisfies Record<string, AttemptErrorCode>;

/** Quotas that do not come back within minutes: those of a day, those of nothing, and prepaid ones. */
const spentPattern = /PerDay|per_day|limit: 0\b|credits? (?:are|is|have been) depleted/i;

/** The error object; the stream endpoint wraps it in a list when it is not asked for events. */
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
  const said = (textOf(message) ?? textOf(error) ?? textOf(body) ?? '').slice(0, maxMessageLength);
  const facts = listOf(details).map(objectOf);
  const violations = facts.flatMap(({ violations }) => listOf(violations)).map(objectOf);
  const isSpent =
    spentPattern.test(said) ||
    violations.some(({ quotaId }) => spentPattern.test(textOf(quotaId) ?? ''));
  const words = [
    isSpent && status === 'RESOURCE_EXHAUSTED' ? 'spent' : undefined,
    ...facts.map(({ reason }) => textOf(reason)),
    textOf(status),
  ];
  return {
    words: words.filter((word) => word !== undefined).map((word) => word.toLowerCase()),
    message: said,
    retryAfterMs: facts
      .map(({ retryDelay }) => durationMs(retryDelay))
      .find((delay) => delay !== undefined),
  };
}

/** The error of an HTTP answer other than 2xx. */
export function refusalError(refusal: HttpError): SignalboxError {
  return refusalFailure(refusal, readError, codeByWord);
}

/** The error that a 2xx answer or an event of a stream turned out to be. */
export function inBandError(body: unknown, headers: AnswerHeaders): SignalboxError {
  return vendorFailure(readError(body), codeByWordInStream, { headers, body });
}

/** Whether a body or event is an error. */
export function isErrorBody(body: unknown): boolean {
  const error = errorOf(body);
  return error !== undefined && error !== null;
}
