import type { SignalboxError } from '../../errors.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { HttpError } from '../../transport/body/read-reply.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { maxMessageLength, type VendorError, vendorFailure } from '../common/classify.ts';
import { codeByWord, codeByWordInBand, wordByPhrase } from '../common/error-words.ts';
import { isObject, objectOf, textOf } from '../common/read.ts';

/** Fields with machine-readable words. `status` is used by Google's compatible endpoint, `error_type` by Cohere. */
const wordKeys = ['code', 'type', 'status', 'error_type'];

function wordsIn(from: JsonObject): readonly string[] {
  return wordKeys
    .map((key) => from[key])
    .filter((value) => typeof value === 'string')
    .map((value) => value.toLowerCase());
}

/** Serialises the value, or returns '' when it is nested too deep. */
function jsonOf(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
}

const proseKeys = ['message', 'Message', 'msg', 'detail', 'error'];

/** Mistral's `message`, and the `detail` of many vendors, may contain a list of errors. */
function messageIn(from: JsonObject): string {
  for (const key of proseKeys) {
    const value = from[key];
    if (typeof value === 'string') return value;
    if (typeof value === 'object' && value !== null) return jsonOf(value);
  }
  return '';
}

const durationParts =
  /(?:(?:try again|retry) in|retry after) (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?) ?s(?:econds?)?)?(?:(\d+(?:\.\d+)?)ms)?/i;

/**
 * Reads the wait from the message. OpenAI and Groq ("Please try again in 1m2.5s"), Google ("retry in 48.9s") and Azure
 * ("retry after 26 seconds") put it there, sometimes without a header.
 */
function waitMsIn(message: string): number | undefined {
  const found = durationParts.exec(message);
  if (found === null) return undefined;
  const [hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = found
    .slice(1)
    .map((each) => Number(each ?? 0));
  const waitMs = hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + milliseconds;
  return waitMs > 0 ? Math.ceil(waitMs) : undefined;
}

/** The object that describes the error: the body or the first element of a list, or its `error`. */
function errorObjectOf(body: unknown): JsonObject {
  const whole = objectOf(Array.isArray(body) ? body[0] : body);
  return isObject(whole.error) ? whole.error : whole;
}

function read(body: unknown): VendorError {
  if (typeof body === 'string') return { words: [], message: body.slice(0, maxMessageLength) };
  const error = errorObjectOf(body);
  const metadata = objectOf(error.metadata);
  // OpenRouter passes on the error of the upstream vendor.
  const message = [messageIn(error), textOf(metadata.raw) ?? '']
    .filter(Boolean)
    .map((words) => words.slice(0, maxMessageLength))
    .join(' ');
  return {
    words: [error, objectOf(error.innererror), metadata].flatMap(wordsIn),
    message,
    param: typeof error.param === 'string' ? error.param : undefined,
    retryAfterMs: waitMsIn(message),
  };
}

function withPhrases(error: VendorError, status: number | undefined): VendorError {
  const words = wordByPhrase
    .filter(({ phrase, statuses }) => statuses.includes(status) && phrase.test(error.message))
    .map(({ word }) => word);
  return words.length === 0 ? error : { ...error, words: [...error.words, ...words] };
}

/** The status inside the body of an error sent with a 200 (`{"code": 502}`). */
function statusIn(body: unknown): number | undefined {
  const error = errorObjectOf(body);
  return [error.status, error.code, error.status_code]
    .map(Number)
    .find((value) => Number.isInteger(value) && value >= 400 && value < 600);
}

/** The error of an HTTP error response. */
export function openAIHttpError(response: HttpError): SignalboxError {
  return vendorFailure(withPhrases(read(response.body), response.status), codeByWord, response);
}

/** The error of a 200 whose body or event contains an error. `headers` are those of the answer. */
export function openAIErrorInBand(body: unknown, headers: AnswerHeaders): SignalboxError {
  const status = statusIn(body);
  return vendorFailure(withPhrases(read(body), status), codeByWordInBand, {
    status,
    headers,
    body,
  });
}

/** Whether a body or event is an error. */
export function isErrorBody(body: unknown): boolean {
  const whole = objectOf(Array.isArray(body) ? body[0] : body);
  if (isObject(whole.error) && Object.keys(whole.error).length > 0) return true;
  if (typeof whole.error === 'string' && whole.error !== '') return true;
  return whole.object === 'error' || whole.type === 'error';
}
