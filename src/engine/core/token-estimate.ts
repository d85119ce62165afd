import { estimateTokenCount } from 'tokenx';
import { defaults } from '../../config/defaults.ts';
import { memoryOf } from '../../internal/vendor-data.ts';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import { type MediaPart, mediaTokens } from './media-tokens.ts';

/** Where the text itself cannot be read. */
export const charactersPerToken = 4;

/** tokenx takes a word of any length for language. A hash, a key or base64 has far fewer characters in a token. */
const options = {
  languageConfigs: [{ pattern: /^(?=\w*\d)\w{16,}$/, averageCharsPerToken: 1.7 }],
};

/** Longer texts are sampled: the estimate takes about 0.05 ms for 1,000 characters. */
const samples = { count: 16, length: 256 } as const;
const maxLength = samples.count * samples.length;

/** What is counted: texts, and the tokens of what is no text. */
type Countable = { readonly texts: string[]; otherTokens: number };

/** Windows at even distances over all the texts. */
function samplesOf(texts: readonly string[], length: number): readonly string[] {
  const distance = length / samples.count;
  const taken: string[] = [];
  let before = 0;
  for (const text of texts) {
    for (let at = taken.length * distance; at < before + text.length; ) {
      const start = Math.floor(at - before);
      taken.push(text.slice(start, start + samples.length));
      at = taken.length * distance;
    }
    before += text.length;
  }
  return taken;
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}

/** Estimated tokens of the texts together. Takes the same time for any length above a few thousand characters. */
export function tokensOf(texts: readonly string[]): number {
  const length = lengthOf(texts);
  const counted = length > maxLength ? samplesOf(texts, length) : texts;
  const tokens = counted.reduce((sum, text) => sum + estimateTokenCount(text, options), 0);
  return counted === texts ? tokens : (tokens * length) / lengthOf(counted);
}

function isMedia(value: unknown): value is MediaPart {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  const isKind = value.type === 'image' || value.type === 'audio' || value.type === 'file';
  return isKind && 'source' in value && typeof value.source === 'object' && value.source !== null;
}

/** A value that is nested too deeply is counted by its size: a count must not fail a call. */
function addJson(counted: Countable, value: unknown): void {
  try {
    counted.texts.push(JSON.stringify(value) ?? '');
  } catch {
    counted.otherTokens += memoryOf(value, defaults.maxAnswerBytes) / charactersPerToken;
  }
}

/** The output of a tool, which may contain media. */
function addOutput(counted: Countable, output: unknown): void {
  const parts = Array.isArray(output) && output.some(isMedia) ? output : [output];
  for (const each of parts) {
    if (isMedia(each)) counted.otherTokens += mediaTokens(each);
    else addJson(counted, each);
  }
}

function add(counted: Countable, part: Part): void {
  if ('text' in part) counted.texts.push(part.text);
  if (isMedia(part)) counted.otherTokens += mediaTokens(part);
  if (part.type === 'tool-result') addOutput(counted, part.output);
  if (part.type === 'tool-call') {
    if (part.rawInput === undefined) addJson(counted, part.input);
    else counted.texts.push(part.rawInput);
  }
}

/** Estimated tokens of an answer, or of a message. */
export function estimateTokens(parts: Iterable<Part>): number {
  const counted: Countable = { texts: [], otherTokens: 0 };
  for (const part of parts) add(counted, part);
  return Math.ceil(tokensOf(counted.texts) + counted.otherTokens);
}

const known = new WeakMap<readonly NormalMessage[], number>();

/** Estimated tokens of a call's messages, counted once, and only when something depends on them. */
export function inputTokensOf(messages: readonly NormalMessage[]): number {
  let tokens = known.get(messages);
  if (tokens === undefined) {
    tokens = estimateTokens(messages.flatMap(({ content }) => content));
    known.set(messages, tokens);
  }
  return tokens;
}

/** Estimated usage, for a vendor that reported none. */
export function estimateUsage(messages: readonly NormalMessage[], answer: readonly Part[]): Usage {
  const inputTokens = inputTokensOf(messages);
  const outputTokens = estimateTokens(answer);
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: true };
}
