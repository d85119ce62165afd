import { own } from '../internal/own.ts';
import { PullReader, type Read } from '../internal/read.ts';
import { believedWaitMs, requestIdIn } from '../internal/vendor-data.ts';
import type { RateLimit, Watch } from '../protocol/provider.ts';
import { systemRuntime } from '../runtime.ts';

/** The headers of a response; a `Headers` fits. Names are in lower case. */
export interface AnswerHeaders {
  get(name: string): string | null;
  keys(): Iterable<string>;
  /** Whether the text repeats a part of a credential of the request, verbatim or in base64. */
  repeatsCredential?(text: string): boolean;
  /** Returns the text without the credentials of the request. */
  withoutCredentials?(text: string): string;
}

/** Wraps headers that another library returns as an object. Ignores values that are not strings. */
export function headersOfObject(given: unknown): AnswerHeaders {
  if (given instanceof Headers) return given;
  const values = new Map<string, string>();
  if (typeof given === 'object' && given !== null) {
    for (const [name, value] of Object.entries(given)) {
      if (typeof value === 'string') values.set(name.toLowerCase(), value);
    }
  }
  return { get: (name) => values.get(name) ?? null, keys: () => values.keys() };
}

/** The bytes of a response, for one reader. */
export interface Body {
  /** Whether all of it has arrived, read or not. The connection is then free for the next request. */
  readonly hasArrived: boolean;
  /**
   * The next chunk; `undefined` at the end. Ends at the latest when the attempt's signal aborts.
   * @throws the reason why the connection was cut, after the chunks that arrived before
   */
  read(): Read<Uint8Array | undefined>;
  /** Closes the connection, unless the whole body has arrived. */
  cancel(): void;
}

/** A vendor's response whose headers have arrived. */
export type Answer = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Body;
};

const noBody: Body = { hasArrived: true, read: () => undefined, cancel: () => undefined };

function bodyOf(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Body {
  const reader = stream.getReader();
  let closed: { readonly reason: unknown } | undefined;
  const removeListener = (): void => signal.removeEventListener('abort', abort);
  const chunks = new PullReader(async () => {
    let isLast = true;
    try {
      const { done, value } = await reader.read();
      isLast = done;
      if (!done) return value;
      if (closed !== undefined) throw closed.reason;
      return undefined;
    } finally {
      if (isLast) removeListener();
    }
  });
  /** Ends the pending read. A chunk that has already arrived is still returned. */
  function close(reason: unknown): void {
    removeListener();
    closed ??= { reason };
    // Rejects when the socket is already closed.
    reader.cancel().catch(() => undefined);
  }
  // The fetch has the signal too, but a custom one may ignore it.
  const abort = (): void => close(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return {
    hasArrived: false,
    read: () => chunks.read(),
    cancel: () => close(new Error('the reader stopped reading')),
  };
}

/** Converts the response of a `fetch` that was called with `signal`. */
export function answerOf({ status, headers, body }: Response, signal: AbortSignal): Answer {
  return { status, headers, body: body === null ? noBody : bodyOf(body, signal) };
}

/** The headers with the id of a request: OpenAI and most others, Anthropic, Azure, OpenRouter, AWS, Cloudflare. */
const requestIdHeaders = [
  'x-request-id',
  'request-id',
  'apim-request-id',
  'x-generation-id',
  'x-amzn-requestid',
  'cf-ray',
];

/** The vendor's id of the request, for its support. Ignores a value that is not an id or repeats a credential. */
export function requestIdOf(headers: AnswerHeaders): string | undefined {
  for (const name of requestIdHeaders) {
    const id = checkedRequestId(headers.get(name), headers);
    if (id !== undefined) return id;
  }
  return undefined;
}

/** The same for an id in the body; `headers` are those of the response. */
export function checkedRequestId(value: unknown, headers: AnswerHeaders): string | undefined {
  const id = requestIdIn(value);
  return id !== undefined && headers.repeatsCredential?.(id) !== true ? id : undefined;
}

/** Seconds or milliseconds as RFC 9110 and vendors write them. `Number` alone would accept `1e300` and `0x10`. */
const decimal = /^\d+(?:\.\d+)?$/;

/** All three forms of an HTTP date begin with the day. `Date.parse` alone would accept "try 5". */
const httpDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/** Between the values of a header that was sent several times. A date contains a comma too. */
const betweenValues = /,\s*(?=\d+(?:\.\d+)?\s*(?:,|$)|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun))/;

/** Each value of a header that was sent once or several times: by the vendor and by a proxy. */
function valuesOf(headers: AnswerHeaders, name: string): readonly string[] {
  return (headers.get(name) ?? '').split(betweenValues).map((value) => value.trim());
}

/** When the vendor sent the response, by its clock. */
function sentAt(headers: AnswerHeaders): number | undefined {
  const at = Date.parse(headers.get('date') ?? '');
  return Number.isFinite(at) ? at : undefined;
}

/** Milliseconds until the date. By the local clock, which may be wrong, a date that has passed means nothing (NaN). */
function msUntil(date: string, headers: AnswerHeaders): number {
  const at = sentAt(headers);
  if (at !== undefined) return Math.max(0, Date.parse(date) - at);
  const waitMs = Date.parse(date) - systemRuntime.now();
  return waitMs > 0 ? waitMs : Number.NaN;
}

/**
 * How long the vendor asks to wait, in milliseconds: `retry-after-ms`, or `retry-after` as seconds or as an HTTP date
 * (RFC 9110 §10.2.3). A date is measured against the response's `date`, so the local clock matters only without one. Of
 * several values, the longest. At most one day; `undefined` when the header is missing or invalid.
 */
export function retryAfterMsOf(headers: AnswerHeaders): number | undefined {
  const milliseconds = valuesOf(headers, 'retry-after-ms')
    .filter((value) => decimal.test(value))
    .map(Number);
  if (milliseconds.length > 0) return believedWaitMs(Math.max(...milliseconds));
  const waits = valuesOf(headers, 'retry-after')
    .map((value) => {
      if (decimal.test(value)) return Number(value) * 1000;
      return httpDate.test(value) ? msUntil(value, headers) : Number.NaN;
    })
    .filter((waitMs) => !Number.isNaN(waitMs));
  return waits.length === 0 ? undefined : believedWaitMs(Math.max(...waits));
}

type Unit = RateLimit['unit'];
type Field = 'limit' | 'remaining' | 'reset';

const fields: readonly string[] = ['limit', 'remaining', 'reset'] satisfies readonly Field[];

/** Windows in limit names. A limit that has no reset header resets within its window. */
const windowsMs: Readonly<Record<string, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const number = /^\d+(\.\d+)?$/;
/** `1s`, `6m0s`, `1h2m`, `120ms`, `1.5s`. */
const duration = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;

/** Longer values are ignored; no vendor sends any. */
const maxValueLength = 64;

/** A larger number is ignored; no vendor has such a limit. */
const maxNumber = 1e12;

/** Headers with longer names are ignored; no vendor sends any. */
const maxNameLength = 64;

/** Vendors report at most six limits. */
const maxLimits = 16;

/** A larger number is an epoch time rather than a duration: 2001 in seconds, 1973 in milliseconds. */
const leastEpochSeconds = 1e9;
const leastEpochMs = 1e11;

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text.length > maxValueLength || !number.test(text)) return undefined;
  const value = Number(text);
  return value <= maxNumber ? value : undefined;
}

/** Milliseconds until a reset, given as seconds, a duration, an epoch in seconds or milliseconds, or a date. */
function resetMsOf(text: string | undefined, now: () => number): number | undefined {
  if (text === undefined || text.length > maxValueLength) return undefined;
  if (number.test(text)) {
    const value = Number(text);
    if (value >= leastEpochMs) return Math.max(0, value - now());
    return value >= leastEpochSeconds
      ? Math.max(0, value * 1_000 - now())
      : Math.round(value * 1_000);
  }
  if (duration.test(text)) {
    const steps = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g);
    return Math.round(
      [...steps].reduce(
        (sum, [, count = '', unit = '']) => sum + Number(count) * (unitsMs[unit] ?? 0),
        0,
      ),
    );
  }
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isFinite(at) ? Math.max(0, at - now()) : undefined;
}

type HeaderSubject = { readonly field: Field; readonly name: string };

/**
 * The limit and field that a header names. The field comes before the limit's name (`x-ratelimit-remaining-tokens`) or
 * after it (`anthropic-ratelimit-tokens-remaining`); Mistral has `req` and `tokens` followed by the window.
 */
function subjectOf(header: string): HeaderSubject | undefined {
  const [, rest] = /^(?:x-|anthropic-)?ratelimit(?:bysize)?-(.+)$/.exec(header) ?? [];
  if (rest === undefined || rest.length > maxNameLength) return undefined;
  const words = rest.split('-');
  const at = words.findIndex((word) => fields.includes(word));
  if (at < 0) return undefined;
  const field = words[at] as Field;
  const others = words.filter((_, index) => index !== at && words[index] !== 'query');
  const name = others.join('-').replace(/^req(?=-|$)/, 'requests') || 'requests';
  return { field, name: /requests|tokens/.test(name) ? name : `requests-${name}` };
}

function windowMsOf(name: string): number | undefined {
  return own(windowsMs, name.split('-').at(-1) ?? '');
}

/** The values of one limit's headers. */
type LimitFields = Partial<Record<Field, string>>;

/** Parses the IETF draft's single header: `limit=100, remaining=50, reset=30`. */
function parseCombined(value: string): LimitFields {
  const pairs = value.split(/[,;]/).map((pair) => pair.trim().split('='));
  return Object.fromEntries(pairs.filter(([field = '']) => fields.includes(field)));
}

/** A positive number, possibly followed by its window (`100;w=60`) or by the values of a second header. */
const realLimit = /^(?=[\d.]*[1-9])\d+(?:\.\d+)?(?:[,;\s]|$)/;

/**
 * `undefined` without a usable `remaining` or reset time, and for a limit that is not a positive number: gateways send
 * 0 or -1, with nothing left, where there is no limit.
 */
function limitOf(
  name: string,
  values: LimitFields,
  headers: AnswerHeaders,
  now: number,
): RateLimit | undefined {
  const remaining = numberOf(values.remaining);
  if (remaining === undefined) return undefined;
  if (values.limit !== undefined && !realLimit.test(values.limit)) return undefined;
  const fullMs =
    believedWaitMs(resetMsOf(values.reset, () => sentAt(headers) ?? now)) ?? windowMsOf(name);
  if (fullMs === undefined) return undefined;
  // A bucket may take minutes to refill but allow the next request within a second: `retry-after` has that time.
  const resetMs = remaining === 0 ? Math.min(fullMs, retryAfterMsOf(headers) ?? fullMs) : fullMs;
  const limit = numberOf(values.limit);
  const unit: Unit = name.includes('tokens') ? 'tokens' : 'requests';
  const isConsistent = limit !== undefined && limit > 0 && limit >= remaining;
  return { ...(isConsistent && { limit }), name, unit, remaining, resetMs };
}

/**
 * The vendor's rate limits in the headers of a response: those of OpenAI, Azure, Groq, Cerebras, Mistral, OpenRouter and
 * Anthropic, and of the IETF draft. `now`, in epoch milliseconds, is used for a response without a `date`. Limits
 * without a usable remaining count or reset time are left out.
 */
export function rateLimitsOf(headers: AnswerHeaders, now: number): readonly RateLimit[] {
  const byName = new Map<string, LimitFields>();
  for (const header of headers.keys()) {
    const subject = subjectOf(header);
    if (subject === undefined) continue;
    const values = byName.get(subject.name) ?? {};
    values[subject.field] = (headers.get(header) ?? '').trim();
    byName.set(subject.name, values);
  }
  const draft = headers.get('ratelimit');
  if (draft !== null && !byName.has('requests')) byName.set('requests', parseCombined(draft));
  const limits: RateLimit[] = [];
  for (const [name, values] of byName) {
    const limit = limitOf(name, values, headers, now);
    if (limit !== undefined && limits.length < maxLimits) limits.push(limit);
  }
  return limits;
}

/** Reports the rate limits in the headers, if any. */
export function reportLimits(headers: AnswerHeaders, watch: Watch): void {
  // The system clock, because dates in headers are real time.
  const limits = rateLimitsOf(headers, systemRuntime.now());
  if (limits.length > 0) watch.limits(limits);
}
