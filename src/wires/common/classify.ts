import { SignalboxError } from '../../errors.ts';
import { believedWaitMs, memoryOf, shallowJson } from '../../internal/vendor-data.ts';
import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import { type AnswerHeaders, requestIdOf, retryAfterMsOf } from '../../transport/answer.ts';
import { awsWordsOf, codeByAwsException, isKnownWord, knownParam } from './error-words.ts';
import { namesCallersInput } from './rejection.ts';
import { type RejectedRequest, staleReference } from './stale-reference.ts';

/** How much of a vendor's message is read, in characters. The relevant part is in the first sentence. */
export const maxMessageLength = 2_000;

/** The largest body that is kept as `cause`, in bytes. */
const maxKeptBytes = 262_144;

/** The error as the vendor describes it in the body. */
export type VendorError = {
  /** Machine-readable words (`type`, `code`, `status`) in lower case. They take precedence over the HTTP status. */
  readonly words: readonly string[];
  readonly message: string;
  /** The parameter that the vendor rejects. */
  readonly param?: string | undefined;
  /** The wait given in the body (Gemini's RetryInfo). Used when the headers have none. */
  readonly retryAfterMs?: number | undefined;
};

/** The usual meaning of an HTTP status. Used when the body is not more specific. */
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
  424: 'server_error', // an upstream server of the vendor failed
  429: 'rate_limited',
  451: 'permission',
  498: 'content_filter', // Cohere only
  499: 'server_error', // the request was cancelled, but not by this client
  501: 'unsupported',
  503: 'overloaded',
  529: 'overloaded',
};

/**
 * Messages that mean the prompt exceeds the context window. Several vendors send only a message, with status 400 or
 * 413. In order: OpenAI, Anthropic, Gemini, xAI, Groq, vLLM, llama.cpp, Moonshot, Mistral, Bedrock, vLLM again,
 * LM Studio, Together, Qwen, Cohere, z.ai, MiniMax and Cloudflare, Ollama and TabbyAPI, SGLang, GitHub Copilot, Bedrock
 * (Nova, Titan) and watsonx, Vertex, TGI, gateways, Snowflake, TensorRT-LLM. The gaps are bounded, and no message about
 * the limit of output tokens matches.
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
  /(?:context|sequence)[ _-](?:length|window|size|limit).{0,40}exceed(?:s|ed|ing)?\b/i,
  /exceed(?:s|ed|ing)?\b.{0,40}(?:context|sequence)[ _-](?:length|window|size|limit)/i,
  /(?:prompt|(?<!image |file |audio )input) (?:is )?too (?:long|large)|length .{0,40}max_seq_len/i,
  /(?:longer|greater|larger|more) than .{0,40}context[ _-](?:length|window|size|limit)/i,
  /model_max_prompt_tokens_exceeded|prompt token count.{0,40}exceeds/i,
  /input tokens? exceeded|number of input tokens.{0,40}exceed|too many input tokens/i,
  /input token count is.{0,40}only supports up to/i,
  /`?inputs`? must have less than \d+ tokens/i,
  /(?<!daily |monthly |hourly |rate |output |completion )token[ _]limit[ _]exceeded/i,
  /(?:prompt|input|context|conversation) (?:has|contains|uses) too many tokens/i,
  /\bmax(?:imum)? tokens of \d+ exceeded|exceeds? .{0,20}max(?:imum)? (?:prompt|input) (?:length|tokens)/i,
  /(?:prompt|input) length.{0,60}exceeds? (?:the )?max(?:imum)?/i,
  /(?:prompt|input|messages).{0,60}exceeds?(?!.{0,60}(?:output|completion|per (?:min|day))).{0,40}\btokens?\b/i,
];

/** Messages that mean this model lacks a parameter or feature. Another model may have it. */
const unsupportedPatterns = [
  /unsupported (parameter|value)|not supported|does not support|isn't supported/i,
  /extra inputs are not permitted|unrecognized request argument/i,
  /use \/v1\/responses/i,
];

const contentFilterWords = [
  'content_filter',
  'content_filter_error',
  'content_policy_violation',
  'image_content_policy_violation',
  'moderation_blocked',
  'responsibleaipolicyviolation',
  'safety_violation',
];

/** Messages about the caller's account, which some vendors send with status 400. Only their start is read. */
const accountPatterns: readonly (readonly [pattern: RegExp, code: AttemptErrorCode])[] = [
  [/credit balance is too low|insufficient (?:balance|credits|funds)/i, 'quota_exhausted'],
  [
    /(?:organi[sz]ation|account|workspace|project|subscription|api key) (?:\S+ ){0,4}(?:disabled|deactivated|suspended|banned|terminated|restricted|inactive|not active|on hold)/i,
    'permission',
  ],
];

const maxAccountMessage = 200;

function accountCode({ words, message }: VendorError): AttemptErrorCode | undefined {
  if (words.includes('account_deactivated')) return 'permission';
  const start = message.slice(0, maxAccountMessage);
  return accountPatterns.find(([pattern]) => pattern.test(start))?.[1];
}

/** The code for a status alone: from the table, else `server_error` for 5xx and `invalid_request` for 4xx. */
function codeOfStatus(status: number): AttemptErrorCode {
  const known = codeByStatus[status];
  if (known !== undefined) return known;
  // 3xx: redirects are never followed, because they could send the key to another host.
  if (status < 400) return 'invalid_response';
  return status >= 500 ? 'server_error' : 'invalid_request';
}

/**
 * Codes that need a look at the message: statuses 400 and 413, errors inside a 200, and 403 and 500 from Together
 * and llama.cpp.
 */
const vagueCodes: readonly AttemptErrorCode[] = [
  'invalid_request',
  'request_too_large',
  'permission',
  'server_error',
];

/**
 * Replaces a vague code with a more specific one. The vendor's machine-readable words come before patterns in its
 * message.
 */
function refine(code: AttemptErrorCode, error: VendorError): AttemptErrorCode {
  if (!vagueCodes.includes(code)) return code;
  const matchesAny = (patterns: readonly RegExp[]): boolean =>
    patterns.some(
      (pattern) => pattern.test(error.message) || error.words.some((word) => pattern.test(word)),
    );
  if (matchesAny(contextLengthPatterns)) return 'context_length';
  if (error.words.some((word) => contentFilterWords.includes(word))) return 'content_filter';
  if (code !== 'invalid_request') return code;
  const ofAccount = accountCode(error);
  if (ofAccount !== undefined) return ofAccount;
  return matchesAny(unsupportedPatterns) ? 'unsupported' : code;
}

/** What to do, for the codes where the caller can act. */
const advice: Partial<Record<AttemptErrorCode, string>> = {
  auth: 'check the API key of this provider',
  permission: "check the key's permissions and the model's availability to it",
  model_not_found: 'check the model name and baseURL',
  quota_exhausted: 'check plan, credit and spend limits',
  context_length: 'shorten the conversation or add a target with a larger window',
  unsupported: 'this target lacks a feature that the request needs',
  invalid_request: 'the request would fail elsewhere too',
};

/** The same for a rejection that another vendor may not share. */
const vendorSpecificAdvice = 'another vendor may accept the request';

/** The same for a web page: the vendor's API answers with JSON. */
const webPageAdvice = 'a firewall or proxy answered instead of the vendor';

/** The start of a web page, and the text that Cloudflare sends to clients that are no browsers. */
const webPage = /^\s*(?:<(?:!doctype|html|head|title|body|!--|\?xml)\b|error code: 1\d{3}\b)/i;

/** Statuses with which firewalls reject a request for its content. A page with a 404 comes from a wrong `baseURL`. */
const firewallStatuses: readonly (number | undefined)[] = [403, 405, 451];

/** Whether something in front of the vendor rejected this request. Other requests may pass. */
function isFirewallPage({ status, body }: ErrorResponse): boolean {
  return firewallStatuses.includes(status) && typeof body === 'string' && webPage.test(body);
}

/** A 400 has many other reasons to name a file or an earlier answer. */
const gone = /not found|not exist|no such|expired|deleted|no longer|could not find/i;

/** Whether it may be about something that only this call names: a 403, a 404, a failed dependency, some 400s. */
function mayBeOfCall(code: AttemptErrorCode, message: string, status: number | undefined): boolean {
  if (code === 'invalid_request') return gone.test(message);
  return code === 'permission' || code === 'model_not_found' || status === 424;
}

/** Codes of rejected requests, which may be {@link SignalboxError.vendorSpecific}. */
const rejections: readonly AttemptErrorCode[] = ['invalid_request', 'request_too_large'];

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

/** Replaces words that no vendor is known to use. They may be a key or part of the prompt. */
const unknownWord = 'unknown code';

/** The vendor's message. It is kept out of our error messages because it may echo the prompt. */
class VendorWords extends Error {
  override readonly name = 'VendorError';
}

/** Builds the `cause`, which may be logged: removes credentials and anything nested too deep to serialise. */
function vendorWords(message: string, { headers, body }: ErrorResponse): VendorWords {
  const conceal = (text: string): string => headers?.withoutCredentials?.(text) ?? text;
  const text = message === '' ? 'the vendor sent no message' : conceal(message);
  if (typeof body === 'string') return new VendorWords(text, { cause: conceal(body) });
  if (memoryOf(body, maxKeptBytes) > maxKeptBytes) {
    return new VendorWords(text, { cause: 'too large to keep' });
  }
  const shallow = shallowJson(body);
  if (typeof shallow !== 'object') return new VendorWords(text, { cause: shallow });
  const json = JSON.stringify(shallow);
  const concealed = conceal(json);
  return new VendorWords(text, { cause: concealed === json ? shallow : concealed });
}

/** What the error was read from. An error inside a stream has no status. */
export type ErrorResponse = {
  readonly status?: number | undefined;
  readonly headers?: AnswerHeaders | undefined;
  /** The body or event of the error, for `cause`. */
  readonly body?: unknown;
  /** What was sent, to see what it names. */
  readonly request?: unknown;
};

/** What the error means, and what of this call it is about if other calls do not share it. */
function meaningOf(
  worded: AttemptErrorCode | undefined,
  error: VendorError,
  response: ErrorResponse,
): { readonly code: AttemptErrorCode; readonly stale?: string } {
  if (isFirewallPage(response)) return { code: 'invalid_response' };
  const code = refine(worded ?? codeOfStatus(response.status ?? 500), error);
  const { status, request } = response;
  if (!mayBeOfCall(code, error.message, status)) return { code };
  const stale = staleReference(error, status === 403 || status === 404 ? request : undefined);
  return stale === undefined ? { code } : { code: 'invalid_request', stale };
}

function hintFor(
  code: AttemptErrorCode,
  stale: string | undefined,
  response: ErrorResponse,
  vendorSpecific: boolean,
): string | undefined {
  if (isFirewallPage(response)) return webPageAdvice;
  if (stale !== undefined) return `the vendor cannot find or read ${stale} that the request names`;
  return vendorSpecific ? vendorSpecificAdvice : advice[code];
}

/**
 * Creates the error of one attempt from the vendor's error.
 * `byWord` is the wire's table from machine-readable words to codes. It takes precedence over the status.
 */
export function vendorFailure(
  error: VendorError,
  byWord: Readonly<Record<string, AttemptErrorCode>>,
  response: ErrorResponse,
): SignalboxError {
  const codes = { ...codeByAwsException, ...byWord };
  const words = [...awsWordsOf(error, response), ...error.words];
  const word = words.find((each) => Object.hasOwn(codes, each));
  const worded = word === undefined ? undefined : codes[word];
  const { code, stale } = meaningOf(worded, { ...error, words }, response);
  const shownWord =
    words.find((each) => Object.hasOwn(codes, each) || isKnownWord(each)) ??
    (words.length === 0 ? undefined : unknownWord);
  const param = knownParam(error.param);
  const details = [response.status, shownWord, param === undefined ? undefined : `param ${param}`]
    .filter((each) => each !== undefined)
    .join(', ');
  const isCallers = code === 'invalid_request' && stale === undefined && namesCallersInput(error);
  const vendorSpecific = rejections.includes(code) && !isCallers;
  const hint = hintFor(code, stale, response, vendorSpecific);
  const message = `${titles[code]}${details === '' ? '' : ` (${details})`}${hint === undefined ? '' : `: ${hint}`}`;
  const headers = response.headers;
  return new SignalboxError(code, message, {
    status: response.status,
    retryAfterMs: (headers && retryAfterMsOf(headers)) ?? believedWaitMs(error.retryAfterMs),
    requestId: headers && requestIdOf(headers),
    vendorSpecific,
    cause: vendorWords(error.message, response),
  });
}

/** {@link vendorFailure} for an HTTP error response. */
export function httpFailure(
  response: RejectedRequest,
  read: (body: unknown) => VendorError,
  byWord: Readonly<Record<string, AttemptErrorCode>>,
): SignalboxError {
  return vendorFailure(read(response.body), byWord, response);
}
