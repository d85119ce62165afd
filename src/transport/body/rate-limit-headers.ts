import { believedWaitMs } from '../../internal/believed-wait.ts';
import { own } from '../../internal/own.ts';
import type { RateLimit, Watch } from '../../protocol/provider.ts';
import { systemRuntime } from '../../runtime.ts';
import type { AnswerHeaders } from './response.ts';
import { retryAfterMsOf } from './response-metadata.ts';

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

/** When the vendor sent the response, by its clock. */
function sentAt(headers: AnswerHeaders): number | undefined {
  const at = Date.parse(headers.get('date') ?? '');
  return Number.isFinite(at) ? at : undefined;
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
  return Object.fromEntries(
    pairs.filter(([field = '', text = '']) => fields.includes(field) && number.test(text)),
  );
}

/** `undefined` without a usable `remaining` or reset time. */
function limitOf(
  name: string,
  values: LimitFields,
  headers: AnswerHeaders,
  now: number,
): RateLimit | undefined {
  const remaining = numberOf(values.remaining);
  if (remaining === undefined) return undefined;
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
