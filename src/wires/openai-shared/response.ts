import type { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import type { HttpError } from '../../transport/read-reply.ts';
import { maxMessageLength, type VendorError, vendorFailure } from '../common/classify.ts';
import { codeByWord, codeByWordInBand, wordByPhrase } from '../common/error-words.ts';
import { countOf, isObject, listOf, objectOf, TokenCounts, textOf } from '../common/read.ts';
import { citation } from '../common/read-answer.ts';

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
  const found = wordByPhrase.filter(
    ({ phrase, statuses }) => statuses.includes(status) && phrase.test(error.message),
  );
  if (found.length === 0) return error;
  const wordsOf = (phrases: typeof found): readonly string[] => phrases.map(({ word }) => word);
  const first = wordsOf(found.filter((phrase) => phrase.first === true));
  const last = wordsOf(found.filter((phrase) => phrase.first !== true));
  return { ...error, words: [...first, ...error.words, ...last] };
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

/** The field names of a wire's token counts. */
export type UsageNames = {
  readonly input: string;
  readonly inputDetails: string;
  readonly output: string;
  readonly outputDetails: string;
};

/**
 * Output tokens missing from the vendor's output count. xAI counts reasoning separately, and Google's compatible
 * endpoint does not report reasoning. Both include it in the total and bill it as output. Totals that differ for other
 * reasons are ignored.
 */
function hiddenOutput(
  input: number,
  output: number,
  total: number | undefined,
  reasoning: number | undefined,
): number {
  const rest = (total ?? 0) - input - output;
  return rest > 0 && (reasoning === undefined || reasoning === rest) ? rest : 0;
}

function cacheWrites(details: JsonObject, counts: TokenCounts): Partial<Usage> {
  // Qwen uses the second name.
  const written =
    counts.of(details.cache_write_tokens) ?? counts.of(details.cache_creation_input_tokens);
  const split = objectOf(details.cache_write_tokens_details);
  const byTtl = (['30m', '12h'] as const).flatMap((ttl) => {
    const count = counts.of(split[`ttl_${ttl}_tokens`]);
    return count === undefined || count === 0 ? [] : [[ttl, count] as const];
  });
  return {
    ...(written !== undefined && { cacheWriteTokens: written }),
    ...(byTtl.length > 0 && { cacheWriteTokensByTtl: Object.fromEntries(byTtl) }),
  };
}

/**
 * Converts the usage object of an OpenAI wire. Returns `undefined` when it has no counts, or when input or output is
 * implausible.
 */
export function openAIUsage(raw: unknown, names: UsageNames): Usage | undefined {
  if (!isObject(raw)) return undefined;
  const counts = new TokenCounts();
  const input = counts.of(raw[names.input]);
  const output = counts.of(raw[names.output]);
  if (counts.isDoubtful || (input === undefined && output === undefined)) return undefined;
  const inputDetails = objectOf(raw[names.inputDetails]);
  // DeepSeek used the second name; Moonshot and Together use the third.
  const cached =
    counts.of(inputDetails.cached_tokens) ??
    counts.of(raw.prompt_cache_hit_tokens) ??
    counts.of(raw.cached_tokens);
  // Some xAI models count cached input separately. Then it can exceed the input count.
  const isApart = cached !== undefined && cached > (input ?? 0);
  const inputTokens = (input ?? 0) + (isApart ? cached : 0);
  const reasoning = counts.of(objectOf(raw[names.outputDetails]).reasoning_tokens);
  const total = counts.of(raw.total_tokens);
  const outputTokens = (output ?? 0) + hiddenOutput(input ?? 0, output ?? 0, total, reasoning);
  return {
    inputTokens,
    outputTokens,
    totalTokens: isApart ? inputTokens + outputTokens : (total ?? inputTokens + outputTokens),
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...cacheWrites(inputDetails, counts),
    ...(reasoning !== undefined && { reasoningTokens: reasoning }),
    ...counts.certainty,
    raw,
  };
}

/** Reads an annotation. Its fields are at the top level in the Responses API, one level down in Chat Completions. */
export function openAICitation(annotation: unknown): Citation | undefined {
  if (!isObject(annotation)) return undefined;
  const type = textOf(annotation.type) ?? '';
  const fields: JsonObject = { ...annotation, ...objectOf(own(annotation, type)) };
  const url = textOf(fields.url);
  const source = textOf(fields.file_id);
  if (url === undefined && source === undefined) return undefined;
  return citation(
    {
      url,
      source,
      title: textOf(fields.title) ?? textOf(fields.filename),
      citedText: textOf(fields.content),
      start: countOf(fields.start_index),
      end: countOf(fields.end_index),
    },
    annotation,
  );
}

/** Reads the sources that Perplexity and xAI list next to the answer: `search_results` if present, else bare URLs. */
export function listedCitations(body: JsonObject): readonly Citation[] {
  if (body.search_results === undefined && body.citations === undefined) return [];
  const results = listOf(body.search_results).filter(isObject);
  if (results.length > 0) {
    return results.map((result) =>
      citation(
        {
          url: textOf(result.url),
          title: textOf(result.title),
          citedText: textOf(result.snippet),
        },
        result,
      ),
    );
  }
  return listOf(body.citations)
    .filter((url) => typeof url === 'string')
    .map((url) => citation({ url }, url));
}
