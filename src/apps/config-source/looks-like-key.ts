import { keyLike } from '../../internal/vendor-data.ts';

/** A whole value that begins like this is a key: no name does. */
const wholeKey = /^(?:sk-|gsk_|AIza)[\w-]{6,}$/;

/** Other names and prose may begin like a key (`hf-mistral-7b`, `sk-learn`), but have no long run without a hyphen. */
const keyInText = new RegExp(`${keyLike.source}[A-Za-z0-9_.+/=-]{0,40}?[A-Za-z0-9]{16}`);

/** Whether a value of a document is a vendor's key, or contains one. */
export function looksLikeKey(text: string): boolean {
  return wholeKey.test(text) || keyInText.test(text);
}
