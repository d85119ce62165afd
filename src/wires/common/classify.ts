import { SignalboxError } from '../../errors.ts';
import { believedWaitMs } from '../../internal/believed-wait.ts';
import { memoryOf } from '../../internal/memory-of.ts';
import { shallowJson } from '../../internal/shallow-json.ts';
import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { HttpError } from '../../transport/body/read-reply.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { requestIdOf, retryAfterMsOf } from '../../transport/body/response-metadata.ts';
import { awsWordsOf, codeByAwsException } from './aws-errors.ts';
import { isKnownWord, knownParam } from './vendor-words.ts';

/** How much of a vendor's words is read, in characters: what matters stands in the first sentence. */
export const maxMessageLength = 2_000;

/** How large a body is kept for `cause`, in bytes. */
const maxKeptBytes = 262_144;

/** What an error says in the vendor's words, dug out of its body. */
export type VendorError = {
  /** Machine words (`type`, `code`, `status`), lower-cased; they decide before the status does. */
  readonly words: readonly string[];
  readonly message: string;
  /** The parameter the vendor complains of. */
  readonly param?: string | undefined;
  /** The wait it asks for in the body (Gemini's RetryInfo), when the headers do not say. */
  readonly retryAfterMs?: number | undefined;
};

/** The usual meaning of a status, when the body says nothing better. */
const codeByStatus: Readonly<Record<number, AttemptErrorCode>> = {
  400: 'invalid_request',
  401: 'auth',
  402: 'quota_exhausted',
  403: 'permission',
  404: 'model_not_found',
  405: 'model_not_found',
  408: 'server_error',
  409: 'conflict',
  410: 'model_not_found',
  413: 'request_too_large',
  422: 'invalid_request',
  424: 'server_error', // a server behind the vendor's failed
  429: 'rate_limited',
  451: 'permission',
  498: 'content_filter', // Cohere's own
  499: 'server_error', // the request was cancelled, and not by us
  501: 'unsupported',
  503: 'overloaded',
  529: 'overloaded',
};

/**
 * How vendors say that the prompt does not fit. Several say it in words only, with code 400 or 413:
 * OpenAI, Anthropic, Gemini, xAI, Groq, vLLM, llama.cpp, Moonshot, Mistral and Bedrock, in this order; then vLLM
 * again, LM Studio, Together, Qwen, Cohere and z.ai.
 */
const contextLengthPatterns = [
  /context[_ ]length[_ ]exceeded|exceeds the context window/i,
  /prompt is too long|input length and `?max_tokens`? exceed context limit/i,
  /input token count.{0,80}exceeds the maximum/i,
  /maximum prompt length is/i,
  /reduce the length of the messages/i,
  /maximum context length is/i,
  /exceeds the available context size/i,
  /exceeded model token limit/i,
  /too large for model with \d+ maximum context length/i,
  /input is too long for requested model/i,
  /context length is only|longer than the maximum model length/i,
  /exceeds? (?:the |its )?(?:model.s )?(?:maximum |max )?context (?:length|window|size|limit)/i,
  /does not fit in context length|greater than the context length|context length of only/i,
  /n_keep .{0,20}>= ?n_ctx|context size has been exceeded/i,
  /less than the context length of the model|`inputs` tokens \+ `max_new_tokens` must be/i,
  /range of input length should be/i,
  /^too many tokens: /i,
  /prompt exceeds max(?:imum)? length/i,
];

/** How vendors say that this model lacks a parameter or feature, which another may have. */
const unsupportedPatterns = [
  /unsupported (parameter|value)|not supported|does not support|isn't supported/i,
  /extra inputs are not permitted|unrecognized request argument/i,
  /use \/v1\/responses/i,
];

const contentFilterWords = [
  'content_filter',
  'content_policy_violation',
  'responsibleaipolicyviolation',
];

/** What a status alone means: the row of the table, `server_error` for other 5xx, else `invalid_request`. */
function codeOfStatus(status: number): AttemptErrorCode {
  const known = codeByStatus[status];
  if (known !== undefined) return known;
  // 3xx: redirects are never followed, since they could carry the key elsewhere.
  if (status < 400) return 'invalid_response';
  return status >= 500 ? 'server_error' : 'invalid_request';
}

/**
 * What a status says too little about: 400 and 413, an error inside a 200, and with Together and llama.cpp even
 * 403 and 500.
 */
const vagueCodes: readonly AttemptErrorCode[] = [
  'invalid_request',
  'request_too_large',
  'permission',
  'server_error',
];

/**
 * Decides between the codes that vendors spread over these: by the vendor's own words first, by patterns in its
 * message last.
 */
function refine(code: AttemptErrorCode, error: VendorError): AttemptErrorCode {
  if (!vagueCodes.includes(code)) return code;
  const says = (patterns: readonly RegExp[]): boolean =>
    patterns.some(
      (pattern) => pattern.test(error.message) || error.words.some((word) => pattern.test(word)),
    );
  if (says(contextLengthPatterns)) return 'context_length';
  if (error.words.some((word) => contentFilterWords.includes(word))) return 'content_filter';
  if (code === 'invalid_request' && says(unsupportedPatterns)) return 'unsupported';
  return code;
}

/** What to do about it, for the codes where the reader can do something. */
const advice: Partial<Record<AttemptErrorCode, string>> = {
  auth: 'check the API key of this provider',
  permission: "check the key's permissions and the model's availability to it",
  model_not_found: 'check the model name and baseURL',
  quota_exhausted: 'check plan, credit and spend limits',
  context_length: 'shorten the conversation or add a target with a larger window',
  unsupported: 'this target lacks something the request asks for',
  invalid_request: 'the request would fail elsewhere too',
};

const titles: Record<AttemptErrorCode, string> = {
  connection: 'no connection',
  server_error: 'server error',
  overloaded: 'overloaded',
  conflict: 'conflict',
  rate_limited: 'rate limited',
  quota_exhausted: 'quota exhausted',
  auth: 'key rejected',
  permission: 'not permitted',
  model_not_found: 'model or path not found',
  timeout: 'timed out',
  context_length: 'the prompt exceeds the context window',
  request_too_large: 'request too large',
  content_filter: 'blocked by the content filter',
  refusal: 'refused by the model',
  unsupported: 'unsupported by the target',
  invalid_request: 'invalid request',
  invalid_response: 'not a completion',
  stream_interrupted: 'the answer broke off',
  invalid_output: 'unusable output',
  aborted: 'aborted',
};

/** Stands for machine words that no vendor is known to have: they may be a key, or a piece of the prompt. */
const unknownWord = 'unknown code';

/** The vendor's own words, kept out of messages because they may echo a prompt. */
class VendorWords extends Error {
  override readonly name = 'VendorError';
}

/** They may be logged in the end: credentials are taken out, and what is nested too deep to be written. */
function vendorWords(message: string, { headers, body }: Facts): VendorWords {
  const conceal = (text: string): string => headers?.withoutCredentials?.(text) ?? text;
  const said = message === '' ? 'the vendor gave no message' : conceal(message);
  if (typeof body === 'string') return new VendorWords(said, { cause: conceal(body) });
  if (memoryOf(body, maxKeptBytes) > maxKeptBytes) {
    return new VendorWords(said, { cause: 'too large to be kept' });
  }
  const shallow = shallowJson(body);
  if (typeof shallow !== 'object') return new VendorWords(said, { cause: shallow });
  const json = JSON.stringify(shallow);
  const concealed = conceal(json);
  return new VendorWords(said, { cause: concealed === json ? shallow : concealed });
}

export type Facts = {
  readonly status?: number | undefined;
  readonly headers?: AnswerHeaders | undefined;
  /** The error's body or event, for `cause`. */
  readonly body?: unknown;
};

/**
 * Makes the error of one attempt out of what the vendor said.
 * `byWord` is the wire's own table from machine words to codes; it is asked before the status.
 */
export function vendorFailure(
  error: VendorError,
  byWord: Readonly<Record<string, AttemptErrorCode>>,
  facts: Facts,
): SignalboxError {
  const codes = { ...codeByAwsException, ...byWord };
  const words = [...awsWordsOf(error, facts), ...error.words];
  const word = words.find((each) => Object.hasOwn(codes, each));
  const worded = word === undefined ? undefined : codes[word];
  const code = refine(worded ?? codeOfStatus(facts.status ?? 500), { ...error, words });
  const said =
    words.find((each) => Object.hasOwn(codes, each) || isKnownWord(each)) ??
    (words.length === 0 ? undefined : unknownWord);
  const param = knownParam(error.param);
  const details = [facts.status, said, param === undefined ? undefined : `param ${param}`]
    .filter((each) => each !== undefined)
    .join(', ');
  const hint = advice[code];
  const message = `${titles[code]}${details === '' ? '' : ` (${details})`}${hint === undefined ? '' : `: ${hint}`}`;
  const headers = facts.headers;
  return new SignalboxError(code, message, {
    status: facts.status,
    retryAfterMs: (headers && retryAfterMsOf(headers)) ?? believedWaitMs(error.retryAfterMs),
    requestId: headers && requestIdOf(headers),
    cause: vendorWords(error.message, facts),
  });
}

/** The same for an HTTP error answer. */
export function refusalFailure(
  refusal: HttpError,
  read: (body: unknown) => VendorError,
  byWord: Readonly<Record<string, AttemptErrorCode>>,
): SignalboxError {
  return vendorFailure(read(refusal.body), byWord, refusal);
}
