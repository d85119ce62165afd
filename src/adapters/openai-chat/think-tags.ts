/** A stretch of text, told apart by the tags around it. */
type TaggedText = { readonly type: 'text' | 'reasoning'; readonly text: string };

/** Tells reasoning between `<think>` tags from the text around it, also when a tag comes in pieces. */
export interface ThinkTags {
  read(text: string): readonly TaggedText[];
  /** What was held back, since it looked like the beginning of a tag. */
  rest(): readonly TaggedText[];
}

const tags = { text: '<think>', reasoning: '</think>' } as const;

/** How many characters at the end of `text` may be the beginning of `tag`. */
function tailLike(text: string, tag: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}

export function createThinkTags(): ThinkTags {
  let type: TaggedText['type'] = 'text';
  let held = '';
  /** Blank space after a tag belongs to nobody. */
  let atStart = true;

  function piece(text: string): readonly TaggedText[] {
    const said = atStart ? text.trimStart() : text;
    if (said === '') return [];
    atStart = false;
    return [{ type, text: said }];
  }

  return {
    read(text) {
      const pieces: TaggedText[] = [];
      let ahead = held + text;
      for (let at = ahead.indexOf(tags[type]); at >= 0; at = ahead.indexOf(tags[type])) {
        pieces.push(...piece(ahead.slice(0, at)));
        ahead = ahead.slice(at + tags[type].length);
        type = type === 'text' ? 'reasoning' : 'text';
        atStart = true;
      }
      const keep = tailLike(ahead, tags[type]);
      held = ahead.slice(ahead.length - keep);
      pieces.push(...piece(ahead.slice(0, ahead.length - keep)));
      return pieces;
    },
    rest() {
      const left = held;
      held = '';
      return piece(left);
    },
  };
}
