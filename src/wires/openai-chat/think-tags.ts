/** A stretch of text, told apart by the tags around it. */
type TaggedText = { readonly type: 'text' | 'reasoning'; readonly text: string };

/**
 * Tells reasoning between `<think>` tags from the text behind it, also when a tag comes in pieces. Only an answer
 * that begins with the tag is read so: further on, a model may speak of tags.
 */
export interface ThinkTags {
  read(text: string): readonly TaggedText[];
  /** Whether all that comes is text as it stands. */
  areDone(): boolean;
  /** What was held back, since it looked like the beginning of a tag. No tag is looked for after that. */
  rest(): readonly TaggedText[];
}

const opening = '<think>';
const closing = '</think>';

/** How many characters at the end of `text` may be the beginning of `tag`. */
function tailLike(text: string, tag: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}

class TagReader implements ThinkTags {
  #state: 'start' | 'thinking' | 'plain' = 'start';
  #held = '';
  /** White space before anything else, which is text if no tag follows. A list, since it may come in any number of pieces. */
  #blanks: string[] = [];
  /** Blank space after a tag belongs to nobody. */
  #isAfterTag = false;

  read(text: string): readonly TaggedText[] {
    const ahead = this.#held + text;
    this.#held = '';
    if (this.#state === 'thinking') return this.#think(ahead);
    if (this.#state === 'plain') return this.#piece('text', ahead);
    const begun = ahead.trimStart();
    const blank = ahead.slice(0, ahead.length - begun.length);
    if (blank !== '') this.#blanks.push(blank);
    if (begun.startsWith(opening)) {
      this.#state = 'thinking';
      this.#blanks = [];
      this.#isAfterTag = true;
      return this.#think(begun.slice(opening.length));
    }
    if (opening.startsWith(begun)) {
      this.#held = begun;
      return [];
    }
    this.#state = 'plain';
    return this.#piece('text', this.#takeBlanks() + begun);
  }

  areDone(): boolean {
    return this.#state === 'plain' && !this.#isAfterTag;
  }

  rest(): readonly TaggedText[] {
    const left = this.#takeBlanks() + this.#held;
    this.#held = '';
    const type = this.#state === 'thinking' ? 'reasoning' : 'text';
    this.#state = 'plain';
    return this.#piece(type, left);
  }

  #takeBlanks(): string {
    const blanks = this.#blanks.join('');
    this.#blanks = [];
    return blanks;
  }

  #piece(type: TaggedText['type'], text: string): readonly TaggedText[] {
    const said = this.#isAfterTag ? text.trimStart() : text;
    if (said === '') return [];
    this.#isAfterTag = false;
    return [{ type, text: said }];
  }

  #think(ahead: string): readonly TaggedText[] {
    const end = ahead.indexOf(closing);
    if (end < 0) {
      const length = ahead.length - tailLike(ahead, closing);
      this.#held = ahead.slice(length);
      return this.#piece('reasoning', ahead.slice(0, length));
    }
    const thoughts = this.#piece('reasoning', ahead.slice(0, end));
    this.#state = 'plain';
    this.#isAfterTag = true;
    return [...thoughts, ...this.#piece('text', ahead.slice(end + closing.length))];
  }
}

export function createThinkTags(): ThinkTags {
  return new TagReader();
}
