import type { AnswerHeaders } from './answer.ts';

/** Where vendors put the id of a request: OpenAI and most others, Anthropic, Azure, OpenRouter, AWS, Cloudflare. */
const requestIdHeaders = [
  'x-request-id',
  'request-id',
  'apim-request-id',
  'x-generation-id',
  'x-amzn-requestid',
  'cf-ray',
];

/** The vendor's id of the request, for its support. */
export function requestIdOf(headers: AnswerHeaders): string | undefined {
  for (const name of requestIdHeaders) {
    const value = headers.get(name);
    if (value !== null && value !== '') return value;
  }
  return undefined;
}

/** All three forms of an HTTP date begin with the day; `Date.parse` alone would take "try 5" for one. */
const httpDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/**
 * How long the vendor asks us to wait, in milliseconds: `retry-after-ms`, or `retry-after` as seconds or as
 * an HTTP date (RFC 9110 §10.2.3). A date is measured against the response's own `date`, so our clock does
 * not matter. `undefined` when it does not say, or says nonsense.
 */
export function retryAfterMsOf(headers: AnswerHeaders): number | undefined {
  const milliseconds = Number(headers.get('retry-after-ms') || Number.NaN);
  if (Number.isFinite(milliseconds) && milliseconds >= 0) return milliseconds;
  const value = headers.get('retry-after');
  if (value === null || value.trim() === '') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : undefined;
  if (!httpDate.test(value)) return undefined;
  const until = Date.parse(value);
  const sentAt = Date.parse(headers.get('date') ?? '');
  return Number.isFinite(until - sentAt) ? Math.max(0, until - sentAt) : undefined;
}
