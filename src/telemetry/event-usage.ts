import type { Usage } from '../protocol/usage.ts';

/**
 * The words in the names of all vendors' counts. A name with other words may be a key or part of the prompt, and is left
 * out of events.
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

/** The usage of all vendors is less nested, shorter and has shorter names. */
const maxDepth = 4;
const maxEntries = 64;
const maxNameLength = 64;

/** `prompt_tokens_details`, `candidatesTokenCount`, `ephemeral_5m_input_tokens`. */
function isCountName(name: string): boolean {
  if (name.length > maxNameLength) return false;
  const parts = name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/\d{1,2}/g, '')
    .split('_');
  return parts.every((part) => part === '' || words.has(part.toLowerCase()));
}

type Room = { entries: number };

function countsIn(value: unknown, depth: number, room: Room): unknown {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
  }
  if (typeof value !== 'object' || value === null || depth >= maxDepth) return undefined;
  if (Array.isArray(value)) {
    return value.slice(0, maxEntries).flatMap((each: unknown) => {
      const counts = countsIn(each, depth + 1, room);
      return counts === undefined ? [] : [counts];
    });
  }
  const counts: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const member: unknown = Reflect.get(value, name);
    const isModality = name === 'modality' && modalities.has(member);
    if (!isModality && !isCountName(name)) continue;
    const count = isModality ? member : countsIn(member, depth + 1, room);
    if (count === undefined || room.entries >= maxEntries) continue;
    room.entries += 1;
    counts[name] = count;
  }
  return counts;
}

/**
 * The usage for events and trails: of the vendor's own usage object, only numbers under known names, and no text. The
 * completion has all of it.
 */
export function usageForEvents(usage: Usage): Usage {
  if (usage.raw === undefined) return usage;
  return { ...usage, raw: countsIn(usage.raw, 0, { entries: 0 }) };
}
