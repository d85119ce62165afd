import type { ReceivedRequest, VendorErrorKind } from '../../wires/common/write.ts';

/** An error answer. Give `kind`, `status` or both; alone, each implies the other as the vendor would. */
export type StatusFault = {
  readonly type: 'status';
  /** @default what `status` usually means, or `server_error` */
  readonly kind?: VendorErrorKind;
  /** @default the vendor's own for `kind` (which is not the same everywhere) */
  readonly status?: number;
  /** Replaces the body's `error.code` (OpenAI), `error.type` (Anthropic) or `error.status` (Gemini). */
  readonly code?: string;
  readonly message?: string;
  /** `Retry-After`; on Gemini, which has no such header, `RetryInfo` in the body. @default none */
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Replaces the whole body: an object is sent as JSON, a string as it is. */
  readonly body?: unknown;
};

/**
 * One way to fail. `afterEvents` counts server-sent events, pings included; when there are fewer, the fault
 * strikes at the end. Of a unary answer the same faults send half of the body.
 */
export type SingleFault =
  | StatusFault
  /** Takes the request and never answers. */
  | { readonly type: 'silence' }
  /** Sends headers and preamble at once, then waits before the first content; a unary answer waits whole. */
  | { readonly type: 'slow-first-token'; readonly ms: number }
  /** The socket is destroyed in the middle of the body. */
  | { readonly type: 'cut'; readonly afterEvents: number }
  /** The body ends politely, without the vendor's end marker. */
  | { readonly type: 'truncate'; readonly afterEvents: number }
  /** Nothing more comes, and the socket stays open. */
  | { readonly type: 'stall'; readonly afterEvents: number }
  /** As `stall`, but the vendor's keep-alive goes on every `everyMs`. */
  | { readonly type: 'stall-with-pings'; readonly afterEvents: number; readonly everyMs: number }
  /** The event at this index (from 0) is JSON broken off half-way; all others are whole. */
  | { readonly type: 'malformed'; readonly atEvent: number }
  /** The connection is reset before the headers. */
  | { readonly type: 'reset' }
  /** An error inside a 200 stream; a unary answer is then as with `json-error-200`. */
  | {
      readonly type: 'error-in-stream';
      readonly afterEvents: number;
      readonly kind: VendorErrorKind;
      readonly message?: string;
    }
  /** Status 200 and an HTML page, as from a proxy or a captive portal. */
  | { readonly type: 'html' }
  /** An error body with status 200. @default kind `server_error` */
  | { readonly type: 'json-error-200'; readonly kind?: VendorErrorKind }
  /** Status 200 and no body. */
  | { readonly type: 'empty' }
  /** A whole stream without `[DONE]` or `message_stop`. Other wires have no such marker: no change. */
  | { readonly type: 'no-done' }
  /** One JSON answer to a request for a stream. */
  | { readonly type: 'ignore-stream' }
  /** A stream to a request for one JSON answer. */
  | { readonly type: 'stream-anyway' }
  /** The body comes in pieces of `size` bytes, which split characters and events. */
  | { readonly type: 'odd-bytes'; readonly size: number }
  /** Lines of the stream end with CR LF. */
  | { readonly type: 'crlf' };

/**
 * What goes wrong, told apart by `type`: one way to fail, or a pattern of them over several requests.
 *
 * `flapping` lets `up` requests through, fails `down`, and begins again.
 * `sequence` takes one entry for each request, then is over (`times` repeats it).
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
  /** How many requests it strikes; for a sequence, how often it is run through. @default until `clear()`; a sequence once */
  readonly times?: number;
  /** Only requests for which this holds; others neither fail nor count. */
  readonly when?: (request: ReceivedRequest) => boolean;
  /** Only requests that carry this API key. */
  readonly key?: string;
};

type Rule = { readonly fault: Fault; readonly options: FaultOptions; seen: number };

/** The faults in force. The first that concerns a request strikes it; those behind it wait their turn. */
export class FaultQueue {
  #rules: Rule[] = [];

  /** Returns a function that takes the fault away again. */
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

  /** The fault that strikes this request; counts it. */
  take(request: ReceivedRequest): SingleFault | undefined {
    const rule = this.#rules.find((each) => concerns(each, request));
    if (rule === undefined) return undefined;
    const fault = faultAt(rule.fault, rule.seen);
    rule.seen += 1;
    if (rule.seen >= lifetime(rule)) this.#rules = this.#rules.filter((each) => each !== rule);
    return fault;
  }
}

function concerns({ options }: Rule, request: ReceivedRequest): boolean {
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

/** After how many requests the rule is over. */
function lifetime({ fault, options }: Rule): number {
  if (fault.type === 'sequence') return fault.faults.length * (options.times ?? 1);
  return options.times ?? Number.POSITIVE_INFINITY;
}

/** What a bare status usually means. */
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
