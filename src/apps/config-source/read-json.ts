import { DocumentBuilder, type ParsedDocument } from './document-builder.ts';

const whitespace = /[ \t\r\n]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals = { true: true, false: false, null: null } as const;

/**
 * Reads JSON with the position of every value, which `JSON.parse` does not report. It finds duplicate names too, of
 * which `JSON.parse` returns the last.
 */
class JsonReader {
  readonly #text: string;
  readonly #builder: DocumentBuilder;
  #at = 0;

  constructor(text: string, document: string | undefined) {
    this.#text = text;
    this.#builder = new DocumentBuilder(text, document);
  }

  read(): ParsedDocument {
    if (this.#text.startsWith('\uFEFF')) this.#at = 1;
    this.#skipWhitespace();
    return this.#builder.build(this.#at, () => {
      const value = this.#value();
      this.#skipWhitespace();
      if (this.#at < this.#text.length) this.#fail('the end of the document');
      return value;
    });
  }

  #fail(expected: string): never {
    const found = this.#at < this.#text.length ? '' : ', but the document ends';
    return this.#builder.stop(this.#at, `is not valid JSON: expected ${expected}${found}`);
  }

  #skipWhitespace(): void {
    whitespace.lastIndex = this.#at;
    whitespace.test(this.#text);
    this.#at = whitespace.lastIndex;
  }

  /** Whether the character comes next. Consumes it then. */
  #takes(character: string): boolean {
    this.#skipWhitespace();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #value(): unknown {
    this.#builder.count(1, this.#at);
    if (this.#takes('{')) return this.#object();
    if (this.#takes('[')) return this.#list();
    if (this.#text[this.#at] === '"') return this.#string();
    number.lastIndex = this.#at;
    const digits = number.exec(this.#text)?.[0];
    if (digits !== undefined) {
      this.#at += digits.length;
      return Number(digits);
    }
    for (const [name, value] of Object.entries(literals)) {
      if (!this.#text.startsWith(name, this.#at)) continue;
      this.#at += name.length;
      return value;
    }
    return this.#fail('a value');
  }

  #object(): object {
    const object = {};
    if (this.#takes('}')) return object;
    do {
      this.#skipWhitespace();
      const offset = this.#at;
      if (this.#text[offset] !== '"') this.#fail('a name in double quotes');
      const key = this.#string();
      this.#builder.set(object, key, offset, () => {
        if (!this.#takes(':')) this.#fail('":"');
        this.#skipWhitespace();
        return this.#value();
      });
    } while (this.#takes(','));
    if (!this.#takes('}')) this.#fail('"," or "}"');
    return object;
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    if (this.#takes(']')) return list;
    do {
      this.#skipWhitespace();
      this.#builder.set(list, list.length, this.#at, () => this.#value());
    } while (this.#takes(','));
    if (!this.#takes(']')) this.#fail('"," or "]"');
    return list;
  }

  #string(): string {
    let end = this.#text.indexOf('"', this.#at + 1);
    while (end >= 0 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    try {
      const value: unknown = JSON.parse(this.#text.slice(this.#at, end + 1));
      this.#at = end + 1;
      return String(value);
    } catch {
      return this.#fail('a valid string');
    }
  }

  /** Whether an odd number of backslashes precedes. */
  #isEscaped(at: number): boolean {
    let first = at;
    while (this.#text[first - 1] === '\\') first -= 1;
    return (at - first) % 2 === 1;
  }
}

export function readJson(text: string, document: string | undefined): ParsedDocument {
  return new JsonReader(text, document).read();
}
