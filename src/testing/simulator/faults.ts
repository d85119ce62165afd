import type { ReceivedRequest, VendorErrorKind } from '../../wires/common/write.ts';

/** An HTTP error. Set `kind`, `status` or both; each implies the other as at the vendor. */
export type StatusFault = {
  readonly type: 'status';
  /** @default the usual meaning of `status`, or `server_error` */
  readonly kind?: VendorErrorKind | undefined;
  /** @default the vendor's status for `kind`, which differs between vendors */
  readonly status?: number | undefined;
  /** Replaces the body's `error.code` (OpenAI), `error.type` (Anthropic) or `error.status` (Gemini). */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** `Retry-After`; on Gemini, which has no such header, `RetryInfo` in the body. @default none */
  readonly retryAfterSeconds?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Replaces the body. An object is sent as JSON, a string verbatim. */
  readonly body?: unknown | undefined;
};

/**
 * A single fault. `afterEvents` counts server-sent events, including pings; with fewer events, the fault occurs at the
 * end. For a unary answer these faults send half of the body.
 */
export type SingleFault =
  | StatusFault
  /** Accepts the request and never answers. */
  | { readonly type: 'silence' }
  /** Sends headers and preamble, then waits before the first content. A unary answer is sent after the wait. */
  | { readonly type: 'slow-first-token'; readonly ms: number }
  /** Destroys the socket in the middle of the body. */
  | { readonly type: 'cut'; readonly afterEvents: number }
  /** Ends the body normally, but without the vendor's end marker. */
  | { readonly type: 'truncate'; readonly afterEvents: number }
  /** Sends nothing more and keeps the socket open. */
  | { readonly type: 'stall'; readonly afterEvents: number }
  /** Like `stall`, but sends the vendor's keep-alive every `everyMs`. */
  | { readonly type: 'stall-with-pings'; readonly afterEvents: number; readonly everyMs: number }
  /** Sends only half of the JSON of the event at this index (from 0). */
  | { readonly type: 'malformed'; readonly atEvent: number }
  /** Resets the connection before the headers. */
  | { readonly type: 'reset' }
  /** Sends an error inside a stream with status 200. A unary answer is as with `json-error-200`. */
  | {
      readonly type: 'error-in-stream';
      readonly afterEvents: number;
      readonly kind: VendorErrorKind;
      readonly message?: string | undefined;
    }
  /** Sends an HTML page with status 200, as proxies and captive portals do. */
  | { readonly type: 'html' }
  /** Sends an error body with status 200. By default that of `server_error`. */
  | { readonly type: 'json-error-200'; readonly kind?: VendorErrorKind | undefined }
  /** Sends status 200 and no body. */
  | { readonly type: 'empty' }
  /** Sends a complete stream without `[DONE]` or `message_stop`. No effect on other wires. */
  | { readonly type: 'no-done' }
  /** Answers a stream request with JSON. */
  | { readonly type: 'ignore-stream' }
  /** Answers a unary request with a stream. */
  | { readonly type: 'stream-anyway' }
  /** Sends the body in chunks of `size` bytes, which split characters and events. */
  | { readonly type: 'odd-bytes'; readonly size: number }
  /** Ends the lines of the stream with CR LF. */
  | { readonly type: 'crlf' };

/**
 * A single fault, or a pattern over several requests.
 *
 * `flapping` lets `up` requests through, fails the next `down`, and repeats.
 * `sequence` applies one entry per request and then ends (`times` repeats it).
 */
export type Fault =
  | SingleFault
  | {
      readonly type: 'flapping';
      readonly up: number;
      readonly down: number;
      readonly fault: SingleFault;
    }
  | { readonly type: 'sequence'; readonly faults: readonly (SingleFault | 'ok')[] };

export type FaultOptions = {
  /** Number of requests to fail, or of runs of a sequence. @default until `clear()`; a sequence once */
  readonly times?: number | undefined;
  /** Applies only to requests for which this returns true. Others do not count. */
  readonly when?: ((request: ReceivedRequest) => boolean) | undefined;
  /** Applies only to requests with this API key. */
  readonly key?: string | undefined;
};

type Rule = { readonly fault: Fault; readonly options: FaultOptions; seen: number };

/** The active faults in order. The first one that matches a request is applied to it. */
export class FaultQueue {
  #rules: Rule[] = [];

  /** Returns a function that removes the fault. */
  add(fault: Fault, options: FaultOptions): () => void {
    const rule: Rule = { fault, options, seen: 0 };
    if (lifetime(rule) > 0) this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((each) => each !== rule);
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /** Returns the fault to apply to this request, and counts it. */
  take(request: ReceivedRequest): SingleFault | undefined {
    const rule = this.#rules.find((each) => matches(each, request));
    if (rule === undefined) return undefined;
    const fault = faultAt(rule.fault, rule.seen);
    rule.seen += 1;
    if (rule.seen >= lifetime(rule)) this.#rules = this.#rules.filter((each) => each !== rule);
    return fault;
  }
}

function matches({ options }: Rule, request: ReceivedRequest): boolean {
  if (options.key !== undefined && options.key !== request.key) return false;
  return options.when?.(request) ?? true;
}

function faultAt(fault: Fault, seen: number): SingleFault | undefined {
  if (fault.type === 'flapping') {
    return seen % (fault.up + fault.down) < fault.up ? undefined : fault.fault;
  }
  if (fault.type !== 'sequence') return fault;
  const entry = fault.faults[seen % fault.faults.length];
  return entry === 'ok' ? undefined : entry;
}

/** Number of requests after which the rule ends. */
function lifetime({ fault, options }: Rule): number {
  if (fault.type === 'sequence') return fault.faults.length * (options.times ?? 1);
  return options.times ?? Number.POSITIVE_INFINITY;
}

/** The usual meaning of a status. */
export function kindOfStatus(status: number): VendorErrorKind {
  return kindsByStatus[status] ?? (status >= 500 ? 'server_error' : 'invalid_request');
}

const kindsByStatus: Readonly<Record<number, VendorErrorKind>> = {
  401: 'auth',
  402: 'quota_exhausted',
  403: 'permission',
  404: 'model_not_found',
  429: 'rate_limited',
  503: 'overloaded',
  529: 'overloaded',
};
