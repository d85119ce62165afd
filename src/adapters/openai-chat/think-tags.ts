/** A stretch of text, told apart by the tags around it. */
type TaggedText = { readonly type: 'text' | 'reasoning'; readonly text: string };

/**
 * Tells reasoning between `<think>` tags from the text behind it, also when a tag comes in pieces. Only an answer
 * that begins with the tag is read so: further on, a model may speak of tags.
 */
export interface ThinkTags {
  read(text: string): readonly TaggedText[];
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

export function createThinkTags(): ThinkTags {
  let state: 'start' | 'thinking' | 'plain' = 'start';
  let held = '';
  /** Blank space after a tag belongs to nobody. */
  let isAfterTag = false;

  function piece(type: TaggedText['type'], text: string): readonly TaggedText[] {
    const said = isAfterTag ? text.trimStart() : text;
    if (said === '') return [];
    isAfterTag = false;
    return [{ type, text: said }];
  }

  function think(ahead: string): readonly TaggedText[] {
    const end = ahead.indexOf(closing);
    if (end < 0) {
      const length = ahead.length - tailLike(ahead, closing);
      held = ahead.slice(length);
      return piece('reasoning', ahead.slice(0, length));
    }
    const thoughts = piece('reasoning', ahead.slice(0, end));
    state = 'plain';
    isAfterTag = true;
    return [...thoughts, ...piece('text', ahead.slice(end + closing.length))];
  }

  return {
    read(text) {
      const ahead = held + text;
      held = '';
      if (state === 'thinking') return think(ahead);
      if (state === 'plain') return piece('text', ahead);
      const begun = ahead.trimStart();
      if (begun.startsWith(opening)) {
        state = 'thinking';
        isAfterTag = true;
        return think(begun.slice(opening.length));
      }
      if (opening.startsWith(begun)) {
        held = ahead;
        return [];
      }
      state = 'plain';
      return piece('text', ahead);
    },
    rest() {
      const left = held;
      held = '';
      const type = state === 'thinking' ? 'reasoning' : 'text';
      state = 'plain';
      return piece(type, left);
    },
  };
}
