import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import { citation } from '../common/citations.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';

type Cite = (text: string) => Citation | undefined;

/** What a candidate says of its sources. */
export function groundingOf({ groundingMetadata, citationMetadata }: JsonObject): JsonObject {
  return { ...objectOf(groundingMetadata), ...objectOf(citationMetadata) };
}

/** Gemini counts in bytes of UTF-8. */
function characterAt(text: string, byte: number): number {
  return Buffer.from(text).subarray(0, byte).toString().length;
}

/** Which characters of the text a segment is; `undefined` when it is of another part. */
function placeOf(segment: JsonObject, text: string) {
  const quoted = textOf(segment.text);
  const start = characterAt(text, countOf(segment.startIndex) ?? 0);
  if (quoted === undefined)
    return { start, end: characterAt(text, countOf(segment.endIndex) ?? 0) };
  const at = text.startsWith(quoted, start) ? start : text.indexOf(quoted);
  return at < 0 ? undefined : { start: at, end: at + quoted.length };
}

function factsOf(chunk: JsonObject) {
  const [kind] = ['web', 'retrievedContext', 'maps', 'image'].filter((name) => name in chunk);
  const { uri, title, text } = objectOf(own(chunk, kind ?? ''));
  return { url: textOf(uri), title: textOf(title), citedText: textOf(text) };
}

function supportCites(chunks: readonly JsonObject[], support: JsonObject): readonly Cite[] {
  return listOf(support.groundingChunkIndices).flatMap((index): readonly Cite[] => {
    const chunk = chunks[countOf(index) ?? -1];
    if (chunk === undefined) return [];
    return [
      (text) => {
        const place = placeOf(objectOf(support.segment), text);
        return place && citation({ ...factsOf(chunk), ...place }, { chunk, support });
      },
    ];
  });
}

/** The sources of a text: what grounding says of its segments, or of the whole, and what it was recited from. */
export function citationsOf(grounding: JsonObject): readonly Cite[] {
  const chunks = listOf(grounding.groundingChunks).filter(isObject);
  const supports = listOf(grounding.groundingSupports).filter(isObject);
  const recited = listOf(grounding.citations ?? grounding.citationSources).filter(isObject);
  const grounded =
    supports.length > 0
      ? supports.flatMap((support) => supportCites(chunks, support))
      : chunks.map((chunk) => () => citation(factsOf(chunk), chunk));
  return [
    ...grounded,
    ...recited.map(
      (told): Cite =>
        (text) => {
          const { uri, title } = told;
          return citation({ url: textOf(uri), title: textOf(title), ...placeOf(told, text) }, told);
        },
    ),
  ];
}
