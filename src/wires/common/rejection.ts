import { knownParam } from './error-words.ts';

/** The part of a vendor's error that explains a rejected request. */
type Rejection = {
  readonly words: readonly string[];
  readonly message: string;
  readonly param?: string | undefined;
};

/**
 * Messages about the vendor instead of the request: a limit of its own, a schema that it cannot compile, a history that
 * it rejects, a combination of options that it lacks. Another vendor may accept the request, even if the message names
 * a field of it.
 */
const vendorPatterns = [
  // Limits: "at most 16384 completion tokens", "array too long", "exceeds the limit of 128 tools".
  /\bat most\b|\bup to \d|\bmax(?:imum)?\b|\blimit|\bexceed|too (?:many|large|long|big|complex|deep)|no more than/i,
  /schema|grammar|response_format|function parameters|function declaration/i,
  /\broles?\b|tool[_ ](?:use|result|call|message)|function[_ ](?:call|response)|thinking|signature|reasoning/i,
  /prefill|alternat|(?:last|first|final|previous|preceding) (?:message|turn)/i,
  /cannot be (?:used|combined|set|mixed)|\bonly (?:support|allow|accept|available|one)|\brequires\b|incompatible/i,
  /not (?:enabled|available|allowed|permitted|implemented|compatible|supported)|when using|unknown name/i,
];

/** Words that mean the request is malformed, whatever the message says. */
const malformedWords: readonly string[] = [
  'invalid_json',
  'json_decode_error',
  'json_invalid',
  'missing_required_parameter',
  'malformed_request',
];

/**
 * The paths in a message without a separate field for them: Anthropic starts with it (`messages.0.content: …`), Gemini
 * quotes it (`at 'contents[0].parts'`) or puts it after the type (`GenerateContentRequest.contents: …`), and servers
 * with pydantic list it (`"loc":["body","messages"]`).
 */
const paths = [
  /^([\w.[\]-]{1,100}): /,
  / at '([\w.[\]-]{1,100})'/,
  /\bGenerateContentRequest\.([\w.[\]-]{1,100}): /,
  /["']loc["']: ?[[(]["']body["'], ?["']([\w-]{1,100})["']/,
];

/** Parameters that signalbox writes in the vendor's dialect: tools, schemas and reasoning. */
const dialectParams =
  /^(?:tools|functions|tool_choice|response_?format|text\.format|output_config|thinking|reasoning|generation_?config)/i;

/**
 * Whether the vendor names a fault of the caller's request, which other vendors would reject too. False when the message
 * is about the vendor, and when it explains nothing.
 */
export function namesCallersInput({ words, message, param = '' }: Rejection): boolean {
  if (words.some((word) => malformedWords.includes(word))) return true;
  if (vendorPatterns.some((pattern) => pattern.test(message))) return false;
  const isDialect = (path: string): boolean =>
    knownParam(path) !== undefined && dialectParams.test(path);
  if (param !== '') return !isDialect(param);
  const named = paths.flatMap((path) => knownParam(path.exec(message)?.[1]) ?? []);
  return named.length > 0 && !named.some(isDialect);
}
