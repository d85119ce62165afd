import { isSignalboxError } from '../../errors.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import { errorResponse } from '../../telemetry/error-response.ts';
import { RequestProblem } from '../../wires/common/serve.ts';
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

/** The options that come from the client's request. A problem of another one is the program's. */
const clientOptions =
  /^(?:messages|tools|toolChoice|parallelToolCalls|schema|maxOutputTokens|temperature|topP|topK|frequencyPenalty|presencePenalty|stop|seed|reasoning|userId|dimensions|count|size|prompt|values|input)\b/;

/** An error as a client gets it: nothing of targets, vendors' words, keys, prompts or stacks. */
export type ShownError = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: VendorError;
};

/** The problem of an option that the client has set, if the error is one. */
function optionProblem(error: unknown): ShownError | undefined {
  if (!isSignalboxError(error, 'config')) return undefined;
  const path = error.problems?.[0]?.path ?? error.message;
  if (path === 'tier') return shownError(unknownModel());
  const [option] = clientOptions.exec(path) ?? [];
  if (option === undefined) return undefined;
  // Not its message, which may quote the request.
  const message = `The request has an invalid value: ${option}.`;
  return { status: 400, headers: {}, error: { kind: 'invalid_request', message, param: option } };
}

/** The code behind one of several targets that failed for the same reason. */
function codeOf(error: unknown): ErrorCode | undefined {
  if (!isSignalboxError(error)) return undefined;
  const { code, errors = [] } = error;
  const [first] = errors;
  if (code !== 'all_targets_failed' || first === undefined) return code;
  return errors.every((each) => each.code === first.code) ? first.code : code;
}

/** Never throws. */
export function shownError(error: unknown): ShownError {
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
  const ofOption = optionProblem(error);
  if (ofOption !== undefined) return ofOption;
  const { status, headers, body } = errorResponse(error);
  const code = codeOf(error);
  const shown = (code === undefined ? undefined : statuses[code]) ?? status;
  const retryAfter = headers['retry-after'];
  return {
    status: shown,
    headers,
    error: {
      kind: (code === undefined ? undefined : kinds[code]) ?? 'server_error',
      status: shown,
      message: body.error.message,
      param: null,
      ...(retryAfter !== undefined && { retryAfterSeconds: Number(retryAfter) }),
    },
  };
}
