/** A piece of text, and whether it was inside `<think>` tags. */
type TaggedText = { readonly type: 'text' | 'reasoning'; readonly text: string };

/**
 * Separates reasoning in `<think>` tags from the text after it, even when a tag is split across deltas. Only a tag at
 * the start of the answer counts; later ones may be part of the text.
 */
export interface ThinkTags {
  read(text: string): readonly TaggedText[];
  /** Whether everything that follows is plain text. */
  isDone(): boolean;
  /** Returns text buffered as a possible start of a tag. After this call no tag is recognised. */
  rest(): readonly TaggedText[];
}

const opening = '<think>';
const closing = '</think>';

/** How many characters at the end of `text` may be the start of `tag`. */
function partialTagLength(text: string, tag: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}

class TagReader implements ThinkTags {
  #state: 'start' | 'thinking' | 'plain' = 'start';
  #buffered = '';
  /** Leading white space, which is text if no tag follows. A list, because it may arrive in any number of deltas. */
  #blanks: string[] = [];
  /** White space after a tag is dropped. */
  #isAfterTag = false;

  read(text: string): readonly TaggedText[] {
    const ahead = this.#buffered + text;
    this.#buffered = '';
    if (this.#state === 'thinking') return this.#think(ahead);
    if (this.#state === 'plain') return this.#textParts('text', ahead);
    const trimmed = ahead.trimStart();
    const blank = ahead.slice(0, ahead.length - trimmed.length);
    if (blank !== '') this.#blanks.push(blank);
    if (trimmed.startsWith(opening)) {
      this.#state = 'thinking';
      this.#blanks = [];
      this.#isAfterTag = true;
      return this.#think(trimmed.slice(opening.length));
    }
    if (opening.startsWith(trimmed)) {
      this.#buffered = trimmed;
      return [];
    }
    this.#state = 'plain';
    return this.#textParts('text', this.#takeBlanks() + trimmed);
  }

  isDone(): boolean {
    return this.#state === 'plain' && !this.#isAfterTag;
  }

  rest(): readonly TaggedText[] {
    const left = this.#takeBlanks() + this.#buffered;
    this.#buffered = '';
    const type = this.#state === 'thinking' ? 'reasoning' : 'text';
    this.#state = 'plain';
    return this.#textParts(type, left);
  }

  #takeBlanks(): string {
    const blanks = this.#blanks.join('');
    this.#blanks = [];
    return blanks;
  }

  #textParts(type: TaggedText['type'], text: string): readonly TaggedText[] {
    const kept = this.#isAfterTag ? text.trimStart() : text;
    if (kept === '') return [];
    this.#isAfterTag = false;
    return [{ type, text: kept }];
  }

  #think(ahead: string): readonly TaggedText[] {
    const end = ahead.indexOf(closing);
    if (end < 0) {
      const length = ahead.length - partialTagLength(ahead, closing);
      this.#buffered = ahead.slice(length);
      return this.#textParts('reasoning', ahead.slice(0, length));
    }
    const thoughts = this.#textParts('reasoning', ahead.slice(0, end));
    this.#state = 'plain';
    this.#isAfterTag = true;
    return [...thoughts, ...this.#textParts('text', ahead.slice(end + closing.length))];
  }
}

export function createThinkTags(): ThinkTags {
  return new TagReader();
}
