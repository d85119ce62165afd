import type { Usage } from '../protocol/usage.ts';

/**
 * The words in the vendors' names of counts. A name with other words may be a key or a part of the prompt, and must not
 * appear in an event.
 */
const words = new Set(
  `accepted audio billed byok cache cached candidates char character characters class classifications completion
  completions content context cost count create creation credits details discount document documents draft duration
  eval ephemeral estimated execution fee fetch file generated generation hit image images in inference input is
  iterations latency load long miss modality ms name num number off on other out output p page pages peak prediction
  predicted price processed prompt queries query queue queued read reads reasoning rejected rejection request requests
  response rerank result s search searches seconds server short side sources storage text thinking thought thoughts
  ticks tier time token tokens tool total traffic ttl type unit units upstream usage usd use used video web write
  writes written h m d`.split(/\s+/),
);

/** The modalities in Gemini's counts. */
const modalities: ReadonlySet<unknown> = new Set(['TEXT', 'IMAGE', 'AUDIO', 'VIDEO', 'DOCUMENT']);

/** More than the usage of any vendor needs. */
const maxDepth = 4;
const maxEntries = 64;
const maxNameLength = 64;

/** Whether all words are known, as in `prompt_tokens_details`, `candidatesTokenCount`, `ephemeral_5m_input_tokens`. */
function isCountName(name: string): boolean {
  if (name.length > maxNameLength) return false;
  const parts = name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/\d{1,2}/g, '')
    .split('_');
  return parts.every((part) => part === '' || words.has(part.toLowerCase()));
}

/** Entries copied so far. */
type Copied = { entries: number };

function countsIn(value: unknown, depth: number, copied: Copied): unknown {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
  }
  if (typeof value !== 'object' || value === null || depth >= maxDepth) return undefined;
  if (Array.isArray(value)) {
    return value.slice(0, maxEntries).flatMap((each: unknown) => {
      const counts = countsIn(each, depth + 1, copied);
      return counts === undefined ? [] : [counts];
    });
  }
  const counts: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const field: unknown = Reflect.get(value, name);
    const isModality = name === 'modality' && modalities.has(field);
    if (!isModality && !isCountName(name)) continue;
    const count = isModality ? field : countsIn(field, depth + 1, copied);
    if (count === undefined || copied.entries >= maxEntries) continue;
    copied.entries += 1;
    counts[name] = count;
  }
  return counts;
}

/**
 * Usage for events and trails: of the vendor's usage object, only the numbers under known names, and no text. The
 * completion contains the whole object.
 */
export function usageForEvents(usage: Usage): Usage {
  if (usage.raw === undefined) return usage;
  return { ...usage, raw: countsIn(usage.raw, 0, { entries: 0 }) };
}
