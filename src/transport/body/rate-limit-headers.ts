import { believedWaitMs } from '../../internal/believed-wait.ts';
import { own } from '../../internal/own.ts';
import type { RateLimit, Watch } from '../../protocol/provider.ts';
import { systemRuntime } from '../../runtime.ts';
import type { AnswerHeaders } from './response.ts';
import { retryAfterMsOf } from './response-facts.ts';

type Unit = RateLimit['unit'];
type Field = 'limit' | 'remaining' | 'reset';

const fields: readonly string[] = ['limit', 'remaining', 'reset'] satisfies readonly Field[];

/** A limit that names its window and not the end of it ends within one. */
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

/** No vendor's number or time is longer; longer ones are not looked at. */
const maxValueLength = 64;

/** No vendor allows as many; a larger number is no limit that anybody could reach. */
const mostAllowed = 1e12;

/** Longer names are no vendor's. */
const maxNameLength = 64;

/** Vendors have six limits at most. */
const maxLimits = 16;

/** What is larger is no number of seconds but a time: of 2001 in seconds, of 1970 in milliseconds. */
const leastEpochSeconds = 1e9;
const leastEpochMs = 1e11;

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text.length > maxValueLength || !number.test(text)) return undefined;
  const value = Number(text);
  return value <= mostAllowed ? value : undefined;
}

/** Milliseconds until a reset, told as seconds, a duration, an epoch in seconds or milliseconds, or a date. */
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

/** When the vendor sent the answer, by its own clock. */
function sentAt(headers: AnswerHeaders): number | undefined {
  const at = Date.parse(headers.get('date') ?? '');
  return Number.isFinite(at) ? at : undefined;
}

type Words = { readonly field: Field; readonly name: string };

/**
 * What a header is about: `x-ratelimit-remaining-tokens` and `anthropic-ratelimit-tokens-remaining` say the
 * field before or behind the name, Mistral `req` and `tokens` with the window behind.
 */
function wordsOf(header: string): Words | undefined {
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

/** A vendor's names are few, and come with every answer. */
const maxKnownNames = 200;
const maxKnownLength = 100;
const knownWords = new Map<string, Words | 'something else'>();

/** {@link wordsOf} of a header, told once for each name. */
function aboutOf(header: string): Words | 'something else' {
  const known = knownWords.get(header);
  if (known !== undefined) return known;
  const words = wordsOf(header) ?? 'something else';
  if (knownWords.size < maxKnownNames && header.length <= maxKnownLength) {
    knownWords.set(header, words);
  }
  return words;
}

function windowMsOf(name: string): number | undefined {
  return own(windowsMs, name.split('-').at(-1) ?? '');
}

/** What headers tell of one limit, as they put it. */
type Told = Partial<Record<Field, string>>;

/** The draft of the IETF in one header: `limit=100, remaining=50, reset=30`. */
function combined(value: string): Told {
  const pairs = value.split(/[,;]/).map((pair) => pair.trim().split('='));
  return Object.fromEntries(
    pairs.filter(([field = '', text = '']) => fields.includes(field) && number.test(text)),
  );
}

/** `undefined` for what says nothing of what is left, or of when there is more again. */
function limitOf(
  name: string,
  told: Told,
  headers: AnswerHeaders,
  now: number,
): RateLimit | undefined {
  const remaining = numberOf(told.remaining);
  if (remaining === undefined) return undefined;
  const fullMs =
    believedWaitMs(resetMsOf(told.reset, () => sentAt(headers) ?? now)) ?? windowMsOf(name);
  if (fullMs === undefined) return undefined;
  // A bucket may take minutes to be full and give the next one in a second: a refusal says when.
  const resetMs = remaining === 0 ? Math.min(fullMs, retryAfterMsOf(headers) ?? fullMs) : fullMs;
  const limit = numberOf(told.limit);
  const unit: Unit = name.includes('tokens') ? 'tokens' : 'requests';
  const isWhole = limit !== undefined && limit > 0 && limit >= remaining;
  return { ...(isWhole && { limit }), name, unit, remaining, resetMs };
}

/**
 * The vendor's own limits, as the headers of an answer or a refusal tell them: those of OpenAI, Azure, Groq,
 * Cerebras, Mistral, OpenRouter and Anthropic, and the IETF's draft. `now`, in epoch milliseconds, is for a
 * response without a `date` of its own. What says nothing of what is left, or of when there is more again, is
 * left out; garbage too.
 */
export function rateLimitsOf(headers: AnswerHeaders, now: number): readonly RateLimit[] {
  const byName = new Map<string, Told>();
  for (const header of headers.keys()) {
    const words = aboutOf(header);
    if (words === 'something else') continue;
    const told = byName.get(words.name) ?? {};
    told[words.field] = (headers.get(header) ?? '').trim();
    byName.set(words.name, told);
  }
  const draft = headers.get('ratelimit');
  if (draft !== null && !byName.has('requests')) byName.set('requests', combined(draft));
  const limits: RateLimit[] = [];
  for (const [name, told] of byName) {
    const limit = limitOf(name, told, headers, now);
    if (limit !== undefined && limits.length < maxLimits) limits.push(limit);
  }
  return limits;
}

/** Tells the watch what the headers say of the vendor's limits, if anything. */
export function tellLimits(headers: AnswerHeaders, watch: Watch): void {
  // By the system's clock: a date in a header is one of the real world.
  const limits = rateLimitsOf(headers, systemRuntime.now());
  if (limits.length > 0) watch.limits(limits);
}
