import { configError, formatPath, type Problem } from '../../config/problems.ts';
import { checkRouting } from '../../config/resolve.ts';
import { type Locate, positionsIn, rememberPositions } from '../../internal/document-positions.ts';
import type { RoutingConfig } from '../../protocol/config.ts';
import type { ConfigProblem } from '../../protocol/config-source.ts';
import { checkValues } from './check-values.ts';
import { looksLikeKey } from './looks-like-key.ts';
import { parseObject, type SourceText } from './parse-document.ts';

/** Where something is: its path as text, and its position in the document. */
type Place = Omit<ConfigProblem, 'message'>;

export type Placed = (path: readonly PropertyKey[]) => Place;

/** Makes the providers of a document. Reports what is wrong with them, by the path below `providers`. */
export type MakeProviders<Provider> = (
  data: object,
  report: (path: readonly PropertyKey[], message: string) => void,
) => Readonly<Record<string, Provider>>;

/** A part of a document that is not the router's. `locate` takes paths in the document. */
export type EvalsSection = { readonly data: unknown; readonly locate: Locate };

/** A document that defines a whole router, for commands. */
export type CommandDocument<Provider> = {
  readonly providers: Readonly<Record<string, Provider>>;
  readonly routing: RoutingConfig<string, string>;
  /** What it says about evaluations, not checked. Absent without any. */
  readonly evals?: EvalsSection;
};

function placeOf(locate: Locate | undefined): Placed {
  return (path) => {
    const { line, column } = locate?.(path) ?? {};
    const position = line !== undefined && column !== undefined && { line, column };
    return { path: formatPath(path), ...position };
  };
}

/** Where the values of a configuration are, if it was parsed from a text. */
export function placesIn(data: unknown): Placed {
  return placeOf(positionsIn(data));
}

/**
 * Reads a document of a command: like one for `loadConfig`, but with `providers`. A variable of the environment that is
 * not set is passed to `missing`, and its reference stays in the text.
 * @throws SignalboxError `config` that lists every problem with its path and position
 */
export async function readCommandDocument<Provider>(
  source: SourceText,
  makeProviders: MakeProviders<Provider>,
  missing: (problem: ConfigProblem) => void,
): Promise<CommandDocument<Provider>> {
  const { value: document, locate } = await parseObject(source);
  const placed = placeOf(locate);
  Reflect.deleteProperty(document, '$schema');
  let hasKey = false;
  const found = checkValues(document, source.variables, {
    missing: ({ path, message }) => missing({ ...placed(path), message }),
    keyFound: () => {
      hasKey = true;
    },
  });
  // Before the providers are removed.
  const located = (path: readonly PropertyKey[], message: string): Problem => {
    const position = locate(path);
    const shown = path.map((step) => (looksLikeKey(String(step)) ? '…' : step));
    return { path: shown, message, ...(position !== undefined && { position }) };
  };
  const problems = found.map(({ path, message }) => located(path, message));
  // Messages about other problems could quote the key.
  if (hasKey) throw configError(problems);
  const data: unknown = Reflect.get(document, 'providers');
  const report = (path: readonly PropertyKey[], message: string): void => {
    problems.push(located(['providers', ...path], message));
  };
  let providers: Readonly<Record<string, Provider>> = {};
  let names: readonly string[] = [];
  if (typeof data === 'object' && data !== null && !Array.isArray(data)) {
    names = Object.keys(data);
    if (names.length === 0) report([], 'must contain at least one provider');
    providers = makeProviders(data, report);
  } else {
    report([], 'must be an object, such as { openai: { type: openai } }; or pass a module');
  }
  const evals: unknown = Reflect.get(document, 'evals');
  // A copy: positions are found by walking the document.
  const routing = { ...document };
  Reflect.deleteProperty(routing, 'providers');
  Reflect.deleteProperty(routing, 'evals');
  rememberPositions(routing, locate);
  const known = names.length === 0 ? undefined : { providers: names, strategies: new Map() };
  checkRouting(routing, known, problems);
  return {
    providers,
    routing: routing as RoutingConfig<string, string>,
    ...(evals !== undefined && { evals: { data: evals, locate } }),
  };
}
