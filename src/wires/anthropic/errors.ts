import type { SignalboxError } from '../../errors.ts';
import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import {
  httpFailure,
  maxMessageLength,
  type VendorError,
  vendorFailure,
} from '../common/classify.ts';
import { codeByNumber, isNumberedError, numberedError } from '../common/error-numbers.ts';
import { objectOf, textOf } from '../common/read.ts';
import type { RejectedRequest } from '../common/stale-reference.ts';

/**
 * `error.type` and `error.details.error_code` (https://platform.claude.com/docs/en/api/errors and the error
 * classes of @anthropic-ai/sdk 1.11.0). `invalid_request_error` adds nothing to its status and is not here.
 */
const codeByWord = {
  authentication_error: 'auth',
  permission_error: 'permission',
  not_found_error: 'model_not_found',
  request_too_large: 'request_too_large',
  billing_error: 'quota_exhausted',
  rate_limit_error: 'rate_limited',
  timeout_error: 'server_error',
  api_error: 'server_error',
  overloaded_error: 'overloaded',
  conflict_error: 'conflict',
  organization_on_hold: 'permission',
  contract_spend_limit_reached: 'quota_exhausted',
  enforced_spend_limit_reached: 'quota_exhausted',
  linked_organization_spend_limit_reached: 'quota_exhausted',
  ramp_limit_exceeded: 'rate_limited',
  compaction_unavailable: 'overloaded',
  spent: 'quota_exhausted',
  filtered: 'content_filter',
  ...codeByNumber,
} as const satisfies Record<string, AttemptErrorCode>;

/** {@link codeByWord} for errors inside a stream, which have no status to fall back on. */
const codeByWordInStream = {
  ...codeByWord,
  invalid_request_error: 'invalid_request',
} as const satisfies Record<string, AttemptErrorCode>;

/** Errors that only the message identifies, with status 400 and `invalid_request_error`. */
const wordByMessage: readonly (readonly [pattern: RegExp, word: keyof typeof codeByWord])[] = [
  // No credit left, or the account's spend limit.
  [/credit balance is too low|reached your specified .{0,20}usage limits/i, 'spent'],
  [/blocked by content filtering policy/i, 'filtered'],
];

/** Google wraps the errors of a stream in a list. AWS sends only `message` or `Message`. */
function readError(body: unknown): VendorError {
  const whole = objectOf(Array.isArray(body) ? body[0] : body);
  const { error } = whole;
  const { type, message, details } = objectOf(error);
  // MiniMax and z.ai speak this wire too.
  const numbered = numberedError(whole, typeof error === 'object' ? objectOf(error) : whole);
  const bare = textOf(whole.message) ?? textOf(whole.Message);
  const text = (
    numbered?.message ??
    textOf(message) ??
    textOf(error) ??
    bare ??
    textOf(body) ??
    ''
  ).slice(0, maxMessageLength);
  const words = [
    numbered?.word,
    wordByMessage.find(([pattern]) => pattern.test(text))?.[1],
    textOf(objectOf(details).error_code),
    textOf(type),
  ];
  return {
    words: words.filter((word) => word !== undefined).map((word) => word.toLowerCase()),
    message: text,
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

/** Whether a body or event is an error: `{ "type": "error" }`, or the bare `{ "error": … }` of proxies. */
export function isErrorBody(body: unknown): boolean {
  const whole = objectOf(Array.isArray(body) ? body[0] : body);
  const { type, error } = whole;
  if ((whole.base_resp !== undefined || whole.success === false) && isNumberedError(whole)) {
    return true;
  }
  return type === 'error' || (type === undefined && error !== undefined && error !== null);
}
