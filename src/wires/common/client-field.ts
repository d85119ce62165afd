import { own } from '../../internal/own.ts';
import { shallowJson } from '../../internal/vendor-data.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import { isObject } from './read.ts';
import { RequestProblem } from './serve.ts';

/** More elements of a list are no request of a client. */
const maxElements = 100_000;

/** A field of a client's request. What reads a value throws `RequestProblem` for any other type. */
export class ClientField {
  readonly path: string;
  readonly value: unknown;

  constructor(path: string, value: unknown) {
    this.path = path;
    this.value = value;
  }

  /** `null` counts as absent. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  problem(message: string): RequestProblem {
    return new RequestProblem(this.path, `${this.path}: ${message}`);
  }

  at(name: string): ClientField {
    const path = this.path === '' ? name : `${this.path}.${name}`;
    return new ClientField(path, own(this.object(), name));
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
    return value.map((each: unknown, index) => new ClientField(`${this.path}[${index}]`, each));
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.#wrong('a string');
  }

  /** A text of at least one character. */
  name(): string {
    const text = this.text();
    return text === '' ? this.#wrong('a string that is not empty') : text;
  }

  /** The address of a file that a vendor is to load, or a `data:` URL. */
  url(): string {
    const url = this.text();
    const isWeb = /^(?:https?:\/\/|data:)/i.test(url.slice(0, 10));
    return isWeb ? url : this.#wrong('a URL with https:, http: or data:');
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
