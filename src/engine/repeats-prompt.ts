import { sharesRun } from '../internal/shares-run.ts';
import type { NormalMessage, Part } from '../protocol/message.ts';

/** Between the words of an identifier, where the prompt has blanks. */
const separators = /[-_.]+/g;

function textsOf(part: Part): readonly string[] {
  if ('text' in part) return [part.text];
  if (part.type === 'tool-result') return [JSON.stringify(part.output)];
  if (part.type === 'tool-call') return [part.rawInput ?? JSON.stringify(part.input) ?? ''];
  return [];
}

/** Whether `text`, a short one of the vendor's, repeats a part of what it was sent. Reads all of the prompt. */
export function repeatsPrompt(
  text: string,
  messages: readonly NormalMessage[],
  system: string | undefined,
): boolean {
  const words = text.replace(separators, ' ');
  const isIn = (source: string): boolean =>
    sharesRun(text, source) || (words !== text && sharesRun(words, source));
  if (system !== undefined && isIn(system)) return true;
  return messages.some(({ content }) => content.some((part) => textsOf(part).some(isIn)));
}
