import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { citation } from '../common/citations.ts';
import type { ResolveCitation } from '../common/part-assembler.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { SegmentFinder } from './segment-finder.ts';

const groundingNames = ['groundingChunks', 'groundingSupports', 'citations', 'citationSources'];

/** The grounding fields of a candidate. */
export function groundingOf({ groundingMetadata, citationMetadata }: JsonObject): JsonObject {
  const fields = { ...objectOf(groundingMetadata), ...objectOf(citationMetadata) };
  // Only known names, because the fields of all events are merged and must not grow without limit.
  return Object.fromEntries(
    groundingNames.filter((name) => name in fields).map((name) => [name, fields[name]]),
  );
}

/** The range of a segment in the text, in characters. `undefined` when the segment belongs to another part. */
function rangeOf(segment: JsonObject, text: string, finder: SegmentFinder) {
  const quoted = textOf(segment.text);
  const start = finder.characterAt(text, countOf(segment.startIndex) ?? 0);
  if (quoted === undefined)
    return { start, end: finder.characterAt(text, countOf(segment.endIndex) ?? 0) };
  const at = finder.quoteAt(text, quoted, start);
  return at < 0 ? undefined : { start: at, end: at + quoted.length };
}

function fieldsOf(chunk: JsonObject) {
  const [kind] = ['web', 'retrievedContext', 'maps', 'image'].filter((name) => name in chunk);
  const { uri, title, text } = objectOf(own(chunk, kind ?? ''));
  return { url: textOf(uri), title: textOf(title), citedText: textOf(text) };
}

function supportCites(
  chunks: readonly JsonObject[],
  support: JsonObject,
  finder: SegmentFinder,
): readonly ResolveCitation[] {
  return listOf(support.groundingChunkIndices).flatMap((index): readonly ResolveCitation[] => {
    const chunk = chunks[countOf(index) ?? -1];
    if (chunk === undefined) return [];
    return [
      (text) => {
        const range = rangeOf(objectOf(support.segment), text, finder);
        return range && citation({ ...fieldsOf(chunk), ...range }, { chunk, support });
      },
    ];
  });
}

/** The citations of a text: grounding sources of its segments or of the whole text, and sources it was recited from. */
export function citationsOf(
  grounding: JsonObject,
  finder: SegmentFinder,
): readonly ResolveCitation[] {
  const chunks = listOf(grounding.groundingChunks).filter(isObject);
  const supports = listOf(grounding.groundingSupports).filter(isObject);
  const recited = listOf(grounding.citations ?? grounding.citationSources).filter(isObject);
  const grounded =
    supports.length > 0
      ? supports.flatMap((support) => supportCites(chunks, support, finder))
      : chunks.map((chunk) => () => citation(fieldsOf(chunk), chunk));
  return [
    ...grounded,
    ...recited.map(
      (source): ResolveCitation =>
        (text) => {
          const { uri, title } = source;
          return citation(
            { url: textOf(uri), title: textOf(title), ...rangeOf(source, text, finder) },
            source,
          );
        },
    ),
  ];
}
