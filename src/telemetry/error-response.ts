import { isSignalboxError, type SignalboxError } from '../errors.ts';
import type { ErrorCode } from '../protocol/error-code.ts';

/** What to send to the client of your application when a call fails. */
export type ErrorResponse = {
  readonly status: number;
  /** `retry-after` in seconds, with status 429 or 503 and a known time. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: PublicError };
};

/** What a client may know of an error: no target, no trail, none of the vendor's words. */
export type PublicError = {
  /** `'internal'` for an error that is not a `SignalboxError`. */
  readonly code: ErrorCode | 'internal';
  /** A sentence for users. The same for each error of a kind. */
  readonly message: string;
  /** Milliseconds after which a retry may succeed. */
  readonly retryAfterMs?: number;
};

type Row = readonly [status: number, message: string];

const failed = 'The model did not answer. Try again.';
const busy = 'The model is not available at the moment. Try again later.';
const misconfigured = 'The server is not set up for this request.';
const tooLong = 'The request is too long for the model.';
const rejected = 'The model does not accept this request.';
const refused = 'The model did not answer this request.';

const overBudget = 'The budget for these requests is used up.';

/** A client that has used up its own budget for longer than this has no use for waiting. */
const maxBudgetWaitMs = 3_600_000;

const internal: Row = [500, 'An error occurred.'];

const rows: Readonly<Record<ErrorCode, Row>> = {
  connection: [502, failed],
  server_error: [502, failed],
  overloaded: [503, busy],
  conflict: [503, busy],
  rate_limited: [429, 'Too many requests. Try again later.'],
  quota_exhausted: [503, busy],
  auth: [500, misconfigured],
  permission: [500, misconfigured],
  model_not_found: [500, misconfigured],
  timeout: [504, failed],
  context_length: [413, tooLong],
  request_too_large: [413, tooLong],
  content_filter: [422, refused],
  refusal: [422, refused],
  unsupported: [400, rejected],
  invalid_request: [400, rejected],
  invalid_response: [502, failed],
  stream_interrupted: [502, 'The answer broke off. Try again.'],
  invalid_output: [502, failed],
  aborted: [499, 'The request was cancelled.'],
  all_targets_failed: [503, busy],
  config: [500, misconfigured],
  budget_exceeded: [429, overBudget],
  policy_blocked: [403, 'A policy does not allow this request.'],
  plugin_failed: internal,
  store_failed: [503, busy],
  closed: [503, 'The server is shutting down. Try again.'],
};

/** Reasons for which all targets may be passed over before the first attempt, and what the client did then. */
const passedOver = [
  { reason: /^context window /, code: 'context_length' },
  { reason: /^lacks /, code: 'unsupported' },
] as const;

/** The error behind an `all_targets_failed`: several targets that failed for one reason failed for that one. */
export function codeBehind({ code, errors = [], trail }: SignalboxError): ErrorCode {
  if (code !== 'all_targets_failed') return code;
  const [first] = errors;
  if (first !== undefined) {
    return errors.every((each) => each.code === first.code) ? codeBehind(first) : code;
  }
  const reasons = trail.map(({ reason = '' }) => reason);
  const isAll = (pattern: RegExp) =>
    reasons.length > 0 && reasons.every((each) => pattern.test(each));
  return passedOver.find(({ reason }) => isAll(reason))?.code ?? code;
}

function rowOf(error: SignalboxError): Row {
  const code = codeBehind(error);
  const {
    resetsAt,
    by,
    retryAfterMs = 0,
  } = error.code === code ? error : (error.errors?.[0] ?? error);
  if (code === 'budget_exceeded') {
    // Without a time it is the cap of the call, which the same request would exceed again.
    const isFinal = resetsAt === undefined || (by !== undefined && retryAfterMs > maxBudgetWaitMs);
    if (isFinal) return [402, overBudget];
  }
  // An error of a newer copy of the package may have another code.
  return Object.hasOwn(rows, code) ? rows[code] : internal;
}

/**
 * The HTTP status, headers and JSON body for a failed call. The body has the code, a sentence for users and `retryAfterMs`,
 * so it is safe to send to anyone: log the error itself. Never throws.
 *
 * An `all_targets_failed` whose `errors` all have one code has the status of that code. If no target could take the
 * request, it has that of `context_length` or `unsupported`.
 */
export function errorResponse(error: unknown): ErrorResponse {
  if (!isSignalboxError(error)) {
    const [status, message] = internal;
    return { status, headers: {}, body: { error: { code: 'internal', message } } };
  }
  const [status, message] = rowOf(error);
  const { code, retryAfterMs } = error;
  const canWait = (status === 429 || status === 503) && retryAfterMs !== undefined;
  return {
    status,
    headers: canWait ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) } : {},
    body: { error: { code, message, ...(canWait && { retryAfterMs }) } },
  };
}
