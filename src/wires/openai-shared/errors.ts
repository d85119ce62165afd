import type { SignalboxError } from '../../errors.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { HttpError } from '../../transport/body/read-reply.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { maxMessageLength, type VendorError, vendorFailure } from '../common/classify.ts';
import { codeByWord, codeByWordInBand, wordByPhrase } from '../common/error-words.ts';
import { isObject, objectOf, textOf } from '../common/read.ts';

/** Machine words sit in these places; `status` is Google's on its compatible endpoint, `error_type` Cohere's. */
const wordKeys = ['code', 'type', 'status', 'error_type'];

function wordsIn(from: JsonObject): readonly string[] {
  return wordKeys
    .map((key) => from[key])
    .filter((value) => typeof value === 'string')
    .map((value) => value.toLowerCase());
}

/** What is nested too deeply for that says nothing. */
function jsonOf(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
}

const proseKeys = ['message', 'Message', 'msg', 'detail', 'error'];

/** Mistral's `message` and the `detail` of many may hold a list of complaints. */
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
 * OpenAI and Groq tell the wait in words ("Please try again in 1m2.5s"), and so do Google ("retry in 48.9s") and
 * Azure ("retry after 26 seconds"), also where no header does.
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

/** The object that describes the error: `error` of the body, the body itself, the first of a list. */
function errorObjectOf(body: unknown): JsonObject {
  const whole = objectOf(Array.isArray(body) ? body[0] : body);
  return isObject(whole.error) ? whole.error : whole;
}

function read(body: unknown): VendorError {
  if (typeof body === 'string') return { words: [], message: body.slice(0, maxMessageLength) };
  const error = errorObjectOf(body);
  const metadata = objectOf(error.metadata);
  // OpenRouter hands on what the vendor behind it said.
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

/** The status that an error inside a 200 claims for itself (`{"code": 502}`). */
function statusIn(body: unknown): number | undefined {
  const error = errorObjectOf(body);
  return [error.status, error.code, error.status_code]
    .map(Number)
    .find((value) => Number.isInteger(value) && value >= 400 && value < 600);
}

/** The error of an HTTP refusal. */
export function openAIRefusal(refusal: HttpError): SignalboxError {
  return vendorFailure(withPhrases(read(refusal.body), refusal.status), codeByWord, refusal);
}

/** The error of a 200 that is one: a body or an event with `error` in it. `headers` are those of the answer. */
export function openAIErrorInBand(body: unknown, headers: AnswerHeaders): SignalboxError {
  const status = statusIn(body);
  return vendorFailure(withPhrases(read(body), status), codeByWordInBand, {
    status,
    headers,
    body,
  });
}

/** Whether a body or event says that it is an error rather than an answer. */
export function isErrorBody(body: unknown): boolean {
  const whole = objectOf(Array.isArray(body) ? body[0] : body);
  if (isObject(whole.error) && Object.keys(whole.error).length > 0) return true;
  if (typeof whole.error === 'string' && whole.error !== '') return true;
  return whole.object === 'error' || whole.type === 'error';
}
