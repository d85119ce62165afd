import { believedWaitMs } from '../../internal/believed-wait.ts';
import { requestIdIn } from '../../internal/request-id.ts';
import type { AnswerHeaders } from './response.ts';

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

/**
 * How long the vendor asks to wait, in milliseconds: `retry-after-ms`, or `retry-after` as seconds or as an HTTP date
 * (RFC 9110 §10.2.3). A date is measured against the response's `date`, so the local clock does not matter. At most one
 * day; `undefined` when the header is missing or invalid.
 */
export function retryAfterMsOf(headers: AnswerHeaders): number | undefined {
  const milliseconds = headers.get('retry-after-ms')?.trim() ?? '';
  if (decimal.test(milliseconds)) return believedWaitMs(Number(milliseconds));
  const value = headers.get('retry-after')?.trim() ?? '';
  if (decimal.test(value)) return believedWaitMs(Number(value) * 1000);
  if (!httpDate.test(value)) return undefined;
  const until = Date.parse(value);
  const sentAt = Date.parse(headers.get('date') ?? '');
  return believedWaitMs(Math.max(0, until - sentAt));
}
