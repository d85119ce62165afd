import { isSignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import { codeBehind, errorResponse } from '../../telemetry/error-response.ts';
import { type OptionFields, RequestProblem } from '../../wires/common/serve.ts';
import type { VendorError, VendorErrorKind } from '../../wires/common/write.ts';

/** Why the handler itself answers with an error. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly kind: VendorErrorKind;
  readonly code: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    kind: VendorErrorKind,
    message: string,
    more: { readonly code?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.name = 'HttpProblem';
    this.status = status;
    this.kind = kind;
    this.code = more.code;
    this.headers = more.headers ?? {};
  }
}

export function unknownModel(): HttpProblem {
  const message = 'The model does not exist, or this key has no access to it.';
  return new HttpProblem(404, 'model_not_found', message);
}

/** What a failed call is in the words of a vendor. The server's own troubles are its errors. */
const kinds: Readonly<Partial<Record<ErrorCode, VendorErrorKind>>> = {
  overloaded: 'overloaded',
  conflict: 'overloaded',
  rate_limited: 'rate_limited',
  quota_exhausted: 'overloaded',
  context_length: 'context_length',
  request_too_large: 'invalid_request',
  content_filter: 'content_filter',
  refusal: 'content_filter',
  unsupported: 'unsupported',
  invalid_request: 'invalid_request',
  all_targets_failed: 'overloaded',
  budget_exceeded: 'quota_exhausted',
  policy_blocked: 'permission',
  store_failed: 'overloaded',
  closed: 'overloaded',
};

/** Statuses that clients of vendors know a problem by, where a status of its own would be more precise. */
const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  context_length: 400,
  content_filter: 400,
  refusal: 400,
};

/** An error as a client gets it: nothing of targets, vendors' words, keys, prompts or stacks. */
export type ShownError = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: VendorError;
};

/** The problem of an option that the client has set, if the error is one. That of another option is the program's. */
function optionProblem(error: unknown, fields: OptionFields): ShownError | undefined {
  if (!isSignalboxError(error, 'config')) return undefined;
  const path = error.problems?.[0]?.path ?? error.message;
  if (path === 'tier') return shownError(unknownModel(), fields);
  const [option = ''] = /^\w+/.exec(path) ?? [];
  const param = own(fields, option);
  if (param === undefined) return undefined;
  // Not its message, which may quote the request.
  const message = `The request has an invalid value: ${param}.`;
  return { status: 400, headers: {}, error: { kind: 'invalid_request', message, param } };
}

/** How long OpenAI's and Anthropic's clients wait at most for a retry. They ignore a longer time, and do not wait at all. */
const maxClientWaitSeconds = 60;

/**
 * Clients of OpenAI and Anthropic repeat a request that failed twice unless they are told not to: each time the router
 * would try all of its targets again. With a time to wait they may, and where another process may answer.
 */
function retryHeaders(code: ErrorCode, retryAfter: string | undefined): ShownError['headers'] {
  const isSoon = retryAfter !== undefined && Number(retryAfter) <= maxClientWaitSeconds;
  return isSoon || code === 'closed' || code === 'store_failed'
    ? {}
    : { 'x-should-retry': 'false' };
}

/** Never throws. */
export function shownError(error: unknown, fields: OptionFields): ShownError {
  if (error instanceof RequestProblem) {
    const { message, path } = error;
    return {
      status: 400,
      headers: {},
      error: { kind: 'invalid_request', status: 400, message, param: path },
    };
  }
  if (error instanceof HttpProblem) {
    const { status, kind, message, code, headers } = error;
    return { status, headers, error: { kind, status, message, param: null, code } };
  }
  const ofOption = optionProblem(error, fields);
  if (ofOption !== undefined) return ofOption;
  const { status, headers, body } = errorResponse(error);
  const code = isSignalboxError(error) ? codeBehind(error) : undefined;
  const shown = (code === undefined ? undefined : statuses[code]) ?? status;
  const retryAfter = headers['retry-after'];
  return {
    status: shown,
    headers: { ...headers, ...(code !== undefined && retryHeaders(code, retryAfter)) },
    error: {
      kind: (code === undefined ? undefined : kinds[code]) ?? 'server_error',
      status: shown,
      message: body.error.message,
      param: null,
      ...(retryAfter !== undefined && { retryAfterSeconds: Number(retryAfter) }),
    },
  };
}
