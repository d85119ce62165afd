import type { SignalboxError } from '../../errors.ts';
import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import type { Refusal } from '../../transport/read-reply.ts';
import { type VendorError, vendorFailure } from './classify.ts';
import { isObject, objectOf } from './read.ts';

/**
 * Machine words (`code`, `type`) of OpenAI and of the vendors that imitate its wire. They decide before the
 * status does, so words that go with several statuses (`rate_limit_exceeded` is Groq's for a 413) are not here.
 */
const codeByWord: Readonly<Record<string, AttemptErrorCode>> = {
  insufficient_quota: 'quota_exhausted',
  billing_hard_limit_reached: 'quota_exhausted',
  billing_not_active: 'quota_exhausted',
  quota_exceeded: 'quota_exhausted',
  insufficient_balance: 'quota_exhausted',
  payment_required: 'quota_exhausted',
  exceeded_current_quota_error: 'quota_exhausted', // Moonshot
  arrearage: 'quota_exhausted', // DashScope
  invalid_api_key: 'auth',
  authentication_error: 'auth', // DeepSeek
  invalid_authentication_error: 'auth', // Moonshot
  unauthenticated: 'auth',
  permission_error: 'permission',
  permission_denied: 'permission',
  unsupported_country_region_territory: 'permission',
  model_not_found: 'model_not_found',
  deploymentnotfound: 'model_not_found', // Azure
  resource_not_found_error: 'model_not_found', // Moonshot
  context_length_exceeded: 'context_length',
  exceed_context_size_error: 'context_length', // llama.cpp
  too_many_prompt_tokens: 'context_length', // Perplexity
  request_too_large: 'request_too_large',
  content_filter: 'content_filter',
  content_policy_violation: 'content_filter',
  responsibleaipolicyviolation: 'content_filter', // Azure
  data_inspection_failed: 'content_filter', // DashScope
  invalid_prompt: 'content_filter', // the prompt was flagged: https://platform.openai.com/docs/guides/reasoning
  unsupported_parameter: 'unsupported',
  unsupported_value: 'unsupported',
  invalid_encrypted_content: 'unsupported', // reasoning minted for another key or organisation
  overloaded: 'overloaded',
  overloaded_error: 'overloaded',
  server_is_overloaded: 'overloaded',
  slow_down: 'overloaded',
  engine_overloaded: 'overloaded',
  engine_overloaded_error: 'overloaded', // Moonshot
  service_tier_capacity_exceeded: 'overloaded', // Mistral
};

/** The same for errors inside a 200, which have no status to fall back on. */
const codeByWordInBand: Readonly<Record<string, AttemptErrorCode>> = {
  ...codeByWord,
  server_error: 'server_error',
  internal_server_error: 'server_error',
  rate_limit_exceeded: 'rate_limited',
  rate_limit_error: 'rate_limited',
  too_many_requests: 'rate_limited',
  invalid_request_error: 'invalid_request',
  invalid_image: 'invalid_request',
};

/** What vendors say in prose only, as the word that others have for it; heeded with these statuses alone. */
const wordByPhrase: readonly {
  readonly phrase: RegExp;
  readonly word: string;
  readonly statuses: readonly (number | undefined)[];
}[] = [
  // Mistral's whole tier is full: not this caller's limit.
  { phrase: /capacity exceeded/i, word: 'overloaded', statuses: [429] },
  // OpenAI: the request alone exceeds the limit per minute, so waiting cannot help.
  { phrase: /^request too large/i, word: 'request_too_large', statuses: [429] },
  // xAI, DeepSeek, Anthropic through gateways.
  {
    phrase:
      /used all available credits|spending limit|exceeded your current quota|insufficient (?:balance|credits)|credit balance is too low/i,
    word: 'insufficient_quota',
    statuses: [400, 403, 429, undefined],
  },
  // Groq (TPD, RPD), OpenRouter (free-models-per-day): comes back tomorrow, not in a minute.
  {
    phrase: /(?:tokens|requests) per day|per-day|daily (?:limit|quota)/i,
    word: 'insufficient_quota',
    statuses: [429, undefined],
  },
];

/** Machine words sit in these places; `status` is a word on Google's compatible endpoint. */
const wordKeys = ['code', 'type', 'status'];

function wordsIn(from: JsonObject): readonly string[] {
  return wordKeys
    .map((key) => from[key])
    .filter((value) => typeof value === 'string')
    .map((value) => value.toLowerCase());
}

function messageIn(from: JsonObject): string {
  for (const key of ['message', 'msg', 'detail', 'error']) {
    const value = from[key];
    if (typeof value === 'string') return value;
    if (key === 'detail' && value !== undefined) return JSON.stringify(value);
  }
  return '';
}

const durationParts =
  /try again in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?/i;

/** OpenAI and Groq tell the wait in words ("Please try again in 1m2.5s"), also where no header does. */
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
  const message = messageIn(error);
  return {
    words: [error, objectOf(error.innererror), objectOf(error.metadata)].flatMap(wordsIn),
    message,
    param: typeof error.param === 'string' ? error.param : undefined,
    retryAfterMs: waitMsIn(message),
  };
}

const maxMessageLength = 2000;

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
export function openAIRefusal(refusal: Refusal): SignalboxError {
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
