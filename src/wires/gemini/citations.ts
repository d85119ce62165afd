import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import { citation } from '../common/citations.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { SegmentFinder } from './segment-finder.ts';

type Cite = (text: string) => Citation | undefined;

const groundingNames = ['groundingChunks', 'groundingSupports', 'citations', 'citationSources'];

/** What a candidate says of its sources. */
export function groundingOf({ groundingMetadata, citationMetadata }: JsonObject): JsonObject {
  const told = { ...objectOf(groundingMetadata), ...objectOf(citationMetadata) };
  // Those alone: they are merged with every event, and a vendor may make up new ones each time.
  return Object.fromEntries(
    groundingNames.filter((name) => name in told).map((name) => [name, told[name]]),
  );
}

/** Which characters of the text a segment is; `undefined` when it is of another part. */
function placeOf(segment: JsonObject, text: string, finder: SegmentFinder) {
  const quoted = textOf(segment.text);
  const start = finder.characterAt(text, countOf(segment.startIndex) ?? 0);
  if (quoted === undefined)
    return { start, end: finder.characterAt(text, countOf(segment.endIndex) ?? 0) };
  const at = finder.quoteAt(text, quoted, start);
  return at < 0 ? undefined : { start: at, end: at + quoted.length };
}

function factsOf(chunk: JsonObject) {
  const [kind] = ['web', 'retrievedContext', 'maps', 'image'].filter((name) => name in chunk);
  const { uri, title, text } = objectOf(own(chunk, kind ?? ''));
  return { url: textOf(uri), title: textOf(title), citedText: textOf(text) };
}

function supportCites(
  chunks: readonly JsonObject[],
  support: JsonObject,
  finder: SegmentFinder,
): readonly Cite[] {
  return listOf(support.groundingChunkIndices).flatMap((index): readonly Cite[] => {
    const chunk = chunks[countOf(index) ?? -1];
    if (chunk === undefined) return [];
    return [
      (text) => {
        const place = placeOf(objectOf(support.segment), text, finder);
        return place && citation({ ...factsOf(chunk), ...place }, { chunk, support });
      },
    ];
  });
}

/** The sources of a text: what grounding says of its segments, or of the whole, and what it was recited from. */
export function citationsOf(grounding: JsonObject, finder: SegmentFinder): readonly Cite[] {
  const chunks = listOf(grounding.groundingChunks).filter(isObject);
  const supports = listOf(grounding.groundingSupports).filter(isObject);
  const recited = listOf(grounding.citations ?? grounding.citationSources).filter(isObject);
  const grounded =
    supports.length > 0
      ? supports.flatMap((support) => supportCites(chunks, support, finder))
      : chunks.map((chunk) => () => citation(factsOf(chunk), chunk));
  return [
    ...grounded,
    ...recited.map(
      (told): Cite =>
        (text) => {
          const { uri, title } = told;
          return citation(
            { url: textOf(uri), title: textOf(title), ...placeOf(told, text, finder) },
            told,
          );
        },
    ),
  ];
}
