/** A part of a text that is personal data. */
export type Found = {
  /** Index of its first character. */
  readonly start: number;
  /** Index after its last character. */
  readonly end: number;
};

/** Finds all personal data of one kind in a text, in time linear in its length. */
export type Detector = (text: string) => readonly Found[];

/** The matches of a global pattern that the check accepts. None is empty. */
export function matches(
  text: string,
  pattern: RegExp,
  isRight: (match: string, start: number) => boolean = () => true,
): readonly Found[] {
  const found: Found[] = [];
  // `matchAll` would compile the pattern once more for each text.
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [{ length }] = match;
    const { index } = match;
    if (isRight(match[0], index)) found.push({ start: index, end: index + length });
  }
  return found;
}

/** Whether a pattern matches what stands just before the index. */
export function follows(text: string, index: number, pattern: RegExp, characters = 48): boolean {
  return pattern.test(text.slice(Math.max(0, index - characters), index));
}

/**
 * Starts a pattern where no word or number goes on. A letter after a backslash is an escape of JSON, such as the `n` of
 * a line break.
 */
export const notInWord = String.raw`(?<!\d)(?<!(?<!\\)[\p{L}_])`;
