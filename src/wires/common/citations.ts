import { own } from '../../internal/own.ts';
import { shallowJson } from '../../internal/shallow-json.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import { countOf, isObject, listOf, objectOf, textOf } from './read.ts';

/** The fields of a citation except `raw`; unknown ones are `undefined`. */
type CitationFields = {
  readonly [Name in keyof Omit<Citation, 'raw'>]?: Citation[Name] | undefined;
};

/** Builds a citation and leaves out the unknown fields. */
export function citation(fields: CitationFields, raw: unknown): Citation {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  // Deeply nested JSON can be parsed but not serialised again, so it is replaced with null.
  return { ...Object.fromEntries(known), raw: (shallowJson(raw) ?? null) as Json };
}

/** Reads an annotation. Its fields are at the top level in the Responses API, one level down in Chat Completions. */
export function openAICitation(annotation: unknown): Citation | undefined {
  if (!isObject(annotation)) return undefined;
  const type = textOf(annotation.type) ?? '';
  const fields: JsonObject = { ...annotation, ...objectOf(own(annotation, type)) };
  const url = textOf(fields.url);
  const source = textOf(fields.file_id);
  if (url === undefined && source === undefined) return undefined;
  return citation(
    {
      url,
      source,
      title: textOf(fields.title) ?? textOf(fields.filename),
      citedText: textOf(fields.content),
      start: countOf(fields.start_index),
      end: countOf(fields.end_index),
    },
    annotation,
  );
}

/** Reads the sources that Perplexity and xAI list next to the answer: `search_results` if present, else bare URLs. */
export function listedCitations(body: JsonObject): readonly Citation[] {
  if (body.search_results === undefined && body.citations === undefined) return [];
  const results = listOf(body.search_results).filter(isObject);
  if (results.length > 0) {
    return results.map((result) =>
      citation(
        {
          url: textOf(result.url),
          title: textOf(result.title),
          citedText: textOf(result.snippet),
        },
        result,
      ),
    );
  }
  return listOf(body.citations)
    .filter((url) => typeof url === 'string')
    .map((url) => citation({ url }, url));
}
