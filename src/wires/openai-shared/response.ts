import type { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { checkCount, maxAnswerItems } from '../../transport/answer-bound.ts';
import { maxMessageLength, type VendorError, vendorFailure } from '../common/classify.ts';
import { isNumberedError, numberedError } from '../common/error-numbers.ts';
import { codeByWord, codeByWordInBand, wordByPhrase } from '../common/error-words.ts';
import {
  countOf,
  indexOf,
  isObject,
  listOf,
  objectOf,
  TokenCounts,
  textOf,
} from '../common/read.ts';
import { citation } from '../common/read-answer.ts';
import type { RejectedRequest } from '../common/stale-reference.ts';

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

/** The body, or the first element of a list. */
function wholeOf(body: unknown): JsonObject {
  return objectOf(Array.isArray(body) ? body[0] : body);
}

/** The object that describes the error: the whole body or its `error`. */
function errorObjectOf(body: unknown): JsonObject {
  const whole = wholeOf(body);
  return isObject(whole.error) ? whole.error : whole;
}

function read(body: unknown): VendorError {
  if (typeof body === 'string') return { words: [], message: body.slice(0, maxMessageLength) };
  const error = errorObjectOf(body);
  const metadata = objectOf(error.metadata);
  const numbered = numberedError(wholeOf(body), error);
  // OpenRouter passes on the error of the upstream vendor.
  const message = [numbered?.message ?? '', messageIn(error), textOf(metadata.raw) ?? '']
    .filter(Boolean)
    .map((words) => words.slice(0, maxMessageLength))
    .join(' ');
  return {
    words: [
      ...(numbered === undefined ? [] : [numbered.word]),
      ...[error, objectOf(error.innererror), metadata].flatMap(wordsIn),
    ],
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
export function openAIHttpError(response: RejectedRequest): SignalboxError {
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
  const whole = wholeOf(body);
  if ((whole.base_resp !== undefined || whole.success === false) && isNumberedError(whole)) {
    return true;
  }
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

/** The counts of one usage object, as far as the vendor reports them. */
type ReportedCounts = {
  readonly input: number;
  readonly output: number;
  readonly total: number | undefined;
  readonly cached: number;
  readonly written: number;
  readonly reasoning: number | undefined;
};

/** What a vendor counts outside of input and output. */
type CountedApart = {
  readonly cached: boolean;
  readonly written: boolean;
  readonly reasoning: boolean;
};

/** From the least that can be counted apart to the most. Reasoning comes first, because xAI counts it apart. */
const waysToCount: readonly CountedApart[] = [
  { cached: false, written: false, reasoning: false },
  { cached: false, written: false, reasoning: true },
  { cached: true, written: false, reasoning: false },
  { cached: false, written: true, reasoning: false },
  { cached: true, written: true, reasoning: false },
  { cached: true, written: false, reasoning: true },
  { cached: false, written: true, reasoning: true },
  { cached: true, written: true, reasoning: true },
];

/** Whether no count is part of a smaller one. */
function isPossible(way: CountedApart, counts: ReportedCounts): boolean {
  const { input, output, cached, written, reasoning = 0 } = counts;
  const inside = (way.cached ? 0 : cached) + (way.written ? 0 : written);
  return inside <= input && (way.reasoning || reasoning <= output);
}

function tokensApart(way: CountedApart, { cached, written, reasoning = 0 }: ReportedCounts) {
  const input = (way.cached ? cached : 0) + (way.written ? written : 0);
  return { input, output: way.reasoning ? reasoning : 0 };
}

/**
 * Input and output with everything that belongs to them. Some xAI models count cached input and reasoning separately,
 * proxies of Anthropic cached and written input. They are added if the total proves it, or if a part would exceed its
 * whole. Google's compatible endpoint reports its reasoning only in the total. Counts that contradict each other
 * otherwise are marked as estimated.
 */
function wholeCounts(counts: ReportedCounts) {
  const { input, output, total, reasoning } = counts;
  const rest = total === undefined ? undefined : total - input - output;
  const possible = waysToCount.filter((way) => isPossible(way, counts));
  const proven = possible.find((way) => {
    const apart = tokensApart(way, counts);
    return apart.input + apart.output === rest;
  });
  const way = proven ?? possible[0] ?? { cached: true, written: true, reasoning: true };
  const apart = tokensApart(way, counts);
  const whole = { inputTokens: input + apart.input, outputTokens: output + apart.output };
  const isApart = apart.input + apart.output > 0;
  const unexplained = (rest ?? 0) - apart.input - apart.output;
  // Some servers send 0 as the total, and some a total without what they count apart.
  if (proven !== undefined || total === undefined || total === 0 || (isApart && rest === 0)) {
    return { ...whole, isApart, isEstimated: false };
  }
  if (unexplained > 0 && reasoning === undefined) {
    return {
      ...whole,
      outputTokens: whole.outputTokens + unexplained,
      isApart,
      isEstimated: false,
    };
  }
  return { ...whole, isApart, isEstimated: true };
}

function cacheWrites(
  details: JsonObject,
  written: number | undefined,
  counts: TokenCounts,
): Partial<Usage> {
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
  // DeepSeek used the second name; Moonshot and Together use the third, proxies of Anthropic the last.
  const cached =
    counts.of(inputDetails.cached_tokens) ??
    counts.of(raw.prompt_cache_hit_tokens) ??
    counts.of(raw.cached_tokens) ??
    counts.of(raw.cache_read_input_tokens);
  // Qwen uses the second name; proxies of Anthropic use it at the top level.
  const written =
    counts.of(inputDetails.cache_write_tokens) ??
    counts.of(inputDetails.cache_creation_input_tokens) ??
    counts.of(raw.cache_creation_input_tokens);
  const reasoning = counts.of(objectOf(raw[names.outputDetails]).reasoning_tokens);
  const total = counts.of(raw.total_tokens);
  const { inputTokens, outputTokens, isApart, isEstimated } = wholeCounts({
    input: input ?? 0,
    output: output ?? 0,
    total,
    cached: cached ?? 0,
    written: written ?? 0,
    reasoning,
  });
  const sum = inputTokens + outputTokens;
  return {
    inputTokens,
    outputTokens,
    totalTokens: isApart ? sum : Math.max(total ?? 0, sum),
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...cacheWrites(inputDetails, written, counts),
    ...(reasoning !== undefined && { reasoningTokens: reasoning }),
    ...(isEstimated && { estimated: true }),
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

/** Added to the position of items that no event mentioned. Larger than any index a vendor sends. */
const unseenIndexBase = 1_000_000;

/** The id of the item that an event is about. */
function itemIdOf(event: JsonObject): string | undefined {
  const item = objectOf(event.item);
  return textOf(event.item_id) ?? textOf(item.id) ?? textOf(item.call_id);
}

/** Finds out which output item of the Responses API the events of a stream and the items at its end are about. */
export class ItemIndexes {
  /** The indexes of closed items, which the final response repeats. */
  readonly #done = new Set<number>();
  /** Used to match the items of the final response, which may omit some. Some servers change ids during the stream. */
  readonly #indexById = new Map<string, number>();
  readonly #typeByIndex = new Map<number, unknown>();
  #latestIndex = -1;
  #unusedIndex = 0;
  #hasRepeatedIds = false;

  /** The index of the item that the last event was about. */
  get latest(): number {
    return Math.max(this.#latestIndex, 0);
  }

  /** Returns the index of the item that an event is about. */
  read(kind: string, event: JsonObject): number {
    const index = this.#indexOfEvent(kind, event);
    const item = objectOf(event.item);
    const id = itemIdOf(event);
    this.#latestIndex = index;
    if (id !== undefined) this.#indexById.set(id, index);
    if (item.type !== undefined) this.#typeByIndex.set(index, item.type);
    checkCount(this.#indexById.size + this.#typeByIndex.size, 'items', 2 * maxAnswerItems);
    return index;
  }

  /** Closes the item at the index. Returns false when it has been closed before. */
  close(index: number): boolean {
    if (this.#done.has(index)) return false;
    this.#done.add(index);
    checkCount(this.#done.size, 'items');
    return true;
  }

  /**
   * The index of the item that an event is about. Index, id and type decide together: some servers omit the index or send
   * the same for all items, some change the ids, and some give several items the same id.
   */
  #indexOfEvent(kind: string, event: JsonObject): number {
    const index = indexOf(event.output_index);
    const known = this.#indexById.get(itemIdOf(event) ?? '');
    if (kind === 'response.output_item.added') return this.#indexOfStart(index, known, event);
    if (known !== undefined) return this.#agreedIndex(index, known);
    if (!isObject(event.item)) return index ?? this.latest;
    const at = index ?? this.#latestIndex;
    if (this.#isOpen(at, event.item.type)) return at;
    const isFree = index !== undefined && !this.#typeByIndex.has(index);
    const isRepeated = itemIdOf(event) === undefined && this.#done.has(at);
    return isFree || isRepeated ? at : this.#nextIndex();
  }

  #indexOfStart(
    index: number | undefined,
    known: number | undefined,
    { item }: JsonObject,
  ): number {
    const { type } = objectOf(item);
    if (known !== undefined && (index ?? known) === known) return known;
    this.#hasRepeatedIds ||= known !== undefined;
    if (index === undefined) return this.#nextIndex();
    const isRepeated = itemIdOf({ item: item ?? null }) === undefined && this.#isOpen(index, type);
    return isRepeated || !this.#typeByIndex.has(index) ? index : this.#nextIndex();
  }

  /** The index of an event whose id is known, but was that of an event with another index. */
  #agreedIndex(index: number | undefined, known: number): number {
    if (index === undefined || index === known) return known;
    const isNewItem = this.#done.has(known) && !this.#typeByIndex.has(index);
    return this.#hasRepeatedIds || isNewItem ? index : known;
  }

  /** Whether there is an item of this type at the index that is not closed. */
  #isOpen(index: number, type: unknown): boolean {
    return this.#typeByIndex.get(index) === type && !this.#done.has(index);
  }

  /** The index of an item that has none of its own: its position among the items. */
  #nextIndex(): number {
    this.#unusedIndex = Math.max(this.#unusedIndex, this.#typeByIndex.size);
    while (this.#typeByIndex.has(this.#unusedIndex)) this.#unusedIndex++;
    return this.#unusedIndex;
  }

  /** The index of an item of the final response: matched by id, else by position and type. */
  ofFinal(position: number, item: JsonObject): number {
    const known = this.#indexById.get(textOf(item.id) ?? '');
    if (known !== undefined) return known;
    const type = this.#typeByIndex.get(position);
    return type === undefined || type === item.type ? position : unseenIndexBase + position;
  }
}
