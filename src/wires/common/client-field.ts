import { own } from '../../internal/own.ts';
import { shallowJson } from '../../internal/vendor-data.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import type { Media, ToolCallPart } from '../../protocol/message.ts';
import { parseClientJson } from './client-json.ts';
import { publicUrl } from './client-url.ts';
import { isObject } from './read.ts';
import { RequestProblem } from './serve.ts';

/** More elements of a list are no request of a client. */
const maxElements = 100_000;

/** The place of a field: in another one, or nowhere for the whole body. */
type Place = { readonly owner: ClientField; readonly name: string | number };

/** A field of a client's request. What reads a value throws `RequestProblem` for any other type. */
export class ClientField {
  readonly value: unknown;
  readonly #place: Place | undefined;

  constructor(value: unknown, place?: Place) {
    this.value = value;
    this.#place = place;
  }

  /** Such as `messages[0].content`. Empty for the whole body. */
  get path(): string {
    if (this.#place === undefined) return '';
    const { owner, name } = this.#place;
    const { path } = owner;
    if (typeof name === 'number') return `${path}[${name}]`;
    return path === '' ? name : `${path}.${name}`;
  }

  /** `null` counts as absent, as many clients send it for that. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  problem(message: string): RequestProblem {
    const { path } = this;
    return new RequestProblem(path, `${path}: ${message}`);
  }

  at(name: string): ClientField {
    return new ClientField(own(this.object(), name), { owner: this, name });
  }

  /** `undefined` if the field is absent. */
  maybe<Value>(read: (field: ClientField) => Value): Value | undefined {
    return this.isAbsent ? undefined : read(this);
  }

  object(): JsonObject {
    return isObject(this.value) ? this.value : this.#wrong('an object');
  }

  /** An object that is not nested too deeply for what reads it. */
  json(): { readonly [key: string]: Json } {
    // A body is JSON.
    const value = shallowJson(this.object()) as { readonly [key: string]: Json } | undefined;
    if (value === undefined) throw this.problem('is nested too deeply');
    return value;
  }

  elements(): readonly ClientField[] {
    const { value } = this;
    if (!Array.isArray(value)) return this.#wrong('a list');
    if (value.length > maxElements) throw this.problem(`must have at most ${maxElements} elements`);
    return value.map((each: unknown, name) => new ClientField(each, { owner: this, name }));
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.#wrong('a string');
  }

  /** A text of at least one character. */
  name(): string {
    const text = this.text();
    return text === '' ? this.#wrong('a string that is not empty') : text;
  }

  /** A file that a vendor is to load from the web, or a `data:` URL. */
  source(): Media {
    const text = this.text();
    if (/^data:/i.test(text.slice(0, 5))) return { url: text };
    const url = publicUrl(text);
    return url === undefined ? this.#wrong('a data: URL, or a URL of the public web') : { url };
  }

  /** The arguments of a call as its client sends them back: text, which may be no JSON. */
  toolInput(): Pick<ToolCallPart, 'input'> | Pick<ToolCallPart, 'input' | 'rawInput' | 'invalid'> {
    const text = this.text();
    if (text.trim() === '') return { input: {} };
    try {
      const input = parseClientJson(text);
      if (input !== undefined) return { input: input as Json };
    } catch {
      // The model's mistake, not the client's.
    }
    return { input: text, rawInput: text, invalid: true };
  }

  number(): number {
    return typeof this.value === 'number' ? this.value : this.#wrong('a number');
  }

  /** A whole number from 1. */
  count(): number {
    const { value } = this;
    const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
    return isCount ? value : this.#wrong('an integer of at least 1');
  }

  boolean(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.#wrong('true or false');
  }

  oneOf<const Word extends string>(words: readonly Word[]): Word {
    const word = words.find((each) => each === this.value);
    return word ?? this.#wrong(`one of ${words.join(', ')}`);
  }

  #wrong(expected: string): never {
    throw this.problem(this.isAbsent ? `is required: ${expected}` : `must be ${expected}`);
  }
}
