import { own } from '../../internal/own.ts';
import { shallowJson } from '../../internal/vendor-data.ts';
import type { Json } from '../../protocol/json.ts';
import { isObject } from './read.ts';

const quote = 0x22;
const backslash = 0x5c;
const openings: readonly number[] = [0x7b, 0x5b];
const closings: readonly number[] = [0x7d, 0x5d];

/** Finds the end of a JSON object or list that arrives in pieces. */
class JsonScan {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  /** Returns the index in `text` after the character that ends the value, or -1 when the value continues. */
  read(text: string, from = 0): number {
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (code === backslash) this.#isEscaped = true;
        else if (code === quote) this.#isInString = false;
      } else if (code === quote) this.#isInString = true;
      else if (openings.includes(code)) this.#depth++;
      else if (closings.includes(code) && --this.#depth === 0) return at + 1;
    }
    return -1;
  }
}

/** The JSON, or `undefined` when it is invalid or nested too deep to be serialised again. */
function jsonIn(text: string): Json | undefined {
  try {
    return shallowJson(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The values that follow each other in a text; none if something else is there. */
function valuesIn(text: string): readonly string[] {
  const found: string[] = [];
  let at = 0;
  for (let end = 0; end >= 0; at = Math.max(end, at)) {
    end = new JsonScan().read(text, at);
    if (end >= 0) found.push(text.slice(at, end));
  }
  return text.slice(at).trim() === '' ? found : [];
}

/** Whether `later` is `earlier` with more added to it, or the same. */
function isExtended(earlier: unknown, later: unknown): boolean {
  if (typeof earlier === 'string' && typeof later === 'string') return later.startsWith(earlier);
  if (Array.isArray(earlier)) {
    return Array.isArray(later) && earlier.every((each, at) => isExtended(each, later[at]));
  }
  if (!isObject(earlier)) return earlier === later;
  if (!isObject(later)) return false;
  return Object.entries(earlier).every(([key, value]) => isExtended(value, own(later, key)));
}

/** The last of several values, if each contains the one before it: the server has sent the arguments again. */
function lastOf(values: readonly string[]): string | undefined {
  let latest: Json | undefined = {};
  for (const value of values) {
    const json = jsonIn(value);
    if (json === undefined || !isExtended(latest, json)) return undefined;
    latest = json;
  }
  return values.at(-1);
}

/** The text of pieces of which some repeat everything before them. */
function grown(pieces: readonly string[]): string {
  let whole = '';
  for (const piece of pieces) {
    // The comparison of lengths comes first, because the other one joins the text.
    const isRepeated = piece.length >= whole.length && piece.startsWith(whole);
    whole = isRepeated ? piece : whole + piece;
  }
  return whole;
}

type ParsedInput =
  | { readonly input: Json }
  | { readonly input: Json; readonly rawInput: string; readonly invalid: true };

/** The object in a string that contains JSON, or the value. */
function decodedAgain(value: Json): Json {
  const json = typeof value === 'string' && value.trim().startsWith('{') ? jsonIn(value) : value;
  return json ?? value;
}

/**
 * Parses the arguments of a tool call. Models sometimes write invalid JSON. Then the text is kept and the call is
 * marked `invalid`; nothing is thrown.
 */
function parseToolInput(raw: string): ParsedInput {
  // Models send nothing when the tool has no parameters.
  if (raw.trim() === '') return { input: {} };
  const input = jsonIn(raw);
  if (input === undefined) return { input: raw, rawInput: raw, invalid: true };
  // Some servers send `null` then, and some encode the arguments twice.
  return { input: input === null ? {} : decodedAgain(input) };
}

/**
 * The arguments of a tool call, joined from pieces. Some servers send them again: all of them once more, all so far in
 * every piece, or an empty object first. Such pieces are held back until the end, when it is known which text is JSON.
 */
export class ToolInput {
  #text = '';
  readonly #scan = new JsonScan();
  /** Whether `#text` is a whole object or list. Nothing can follow it. */
  #isWhole = false;
  readonly #held: string[] = [];
  #final: string | undefined;
  #free: string | undefined;

  /** Adds a piece, and returns what of it is certain to belong to the arguments. */
  add(piece: string): string {
    if (this.#isEmptyObject && piece.trim().startsWith('{')) this.#held.pop();
    if (this.#isUncertain(piece)) {
      this.#held.push(piece);
      return '';
    }
    this.#text += piece;
    this.#isWhole = this.#scan.read(piece) >= 0;
    return piece;
  }

  /** Adds to free text, which is the input of a custom tool and may look like JSON. */
  addFree(text: string): void {
    this.#free = (this.#free ?? '') + text;
  }

  /** Sets the whole arguments, as the vendor sends them at the end. */
  complete(whole: string): void {
    if (jsonIn(whole) !== undefined) this.#final = whole;
  }

  /** The text so far, without what is held back. */
  get text(): string {
    return this.#text;
  }

  get isEmpty(): boolean {
    return this.#text === '' && this.#held.length === 0 && this.#free === undefined;
  }

  /** Whether the arguments are a whole object that is not empty. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether the piece is a whole object that is not these arguments sent again, or with more added. */
  isFollowedBy(piece: string): boolean {
    const json = this.#isWhole && piece.trim() !== '' ? jsonIn(piece) : undefined;
    // A much shorter piece cannot contain these arguments, and comparing it to them would take long.
    if (!isObject(json)) return false;
    return 2 * piece.length < this.#text.length || !isExtended(jsonIn(this.#text), json);
  }

  /** Whether the piece can only continue the arguments. */
  isContinuedBy(piece: string): boolean {
    return this.#text !== '' && !this.#isWhole && !/^\s*(?:\{|$)/.test(piece);
  }

  /** The parsed arguments, and what has not been returned by `add`. */
  end(): { readonly parsed: ParsedInput; readonly delta: string } {
    if (this.#free !== undefined) {
      return { parsed: { input: this.#free }, delta: JSON.stringify(this.#free) };
    }
    const text = this.#settled();
    const isLonger = text.length > this.#text.length && text.startsWith(this.#text);
    return { parsed: parseToolInput(text), delta: isLonger ? text.slice(this.#text.length) : '' };
  }

  /** Whether an empty object is all there is. */
  get #isEmptyObject(): boolean {
    return this.#text === '' && this.#held.length === 1;
  }

  #isUncertain(piece: string): boolean {
    const text = this.#text;
    if (this.#held.length > 0 || this.#isWhole) return true;
    if (text === '') return piece.trim() === '{}';
    // The comparison of lengths comes first, because the other one joins the text.
    return piece.length >= text.length && piece.startsWith(text);
  }

  #settled(): string {
    if (this.#final !== undefined) return this.#final;
    if (this.#held.length === 0) return this.#text;
    const pieces = [this.#text, ...this.#held];
    const joined = pieces.join('');
    const candidates = [() => joined, () => grown(pieces), () => lastOf(valuesIn(joined))];
    for (const candidate of candidates) {
      const text = candidate();
      if (text !== undefined && jsonIn(text) !== undefined) return text;
    }
    return joined;
  }
}
