import { own } from '../../internal/own.ts';
import { shallowJson } from '../../internal/shallow-json.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import { countOf, isObject, listOf, objectOf, textOf } from './read.ts';

/** Everything but the vendor's own citation, each as far as it is known. */
type Facts = {
  readonly [Name in keyof Omit<Citation, 'raw'>]?: Citation[Name] | undefined;
};

/** A citation without what is not known. */
export function citation(facts: Facts, raw: unknown): Citation {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  // It came out of JSON, so it is JSON; nested too deep, it could not be written as JSON again.
  return { ...Object.fromEntries(known), raw: (shallowJson(raw) ?? null) as Json };
}

/** An annotation of OpenAI's wires: the Responses API has its facts at the top, Chat Completions one level down. */
export function openAICitation(annotation: unknown): Citation | undefined {
  if (!isObject(annotation)) return undefined;
  const type = textOf(annotation.type) ?? '';
  const told: JsonObject = { ...annotation, ...objectOf(own(annotation, type)) };
  const url = textOf(told.url);
  const source = textOf(told.file_id);
  if (url === undefined && source === undefined) return undefined;
  return citation(
    {
      url,
      source,
      title: textOf(told.title) ?? textOf(told.filename),
      citedText: textOf(told.content),
      start: countOf(told.start_index),
      end: countOf(told.end_index),
    },
    annotation,
  );
}

/** The sources that Perplexity and xAI list beside the answer: results with a title if there are any, else addresses. */
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
