import type { Problem } from '../../config/problems.ts';
import { checkRouting } from '../../config/resolve.ts';
import { quoted } from '../../internal/quoted.ts';
import type { RoutingConfig } from '../../protocol/config.ts';
import {
  type ConfigFormat,
  documentError,
  documentOfData,
  parseDocument,
} from './parse-document.ts';
import { readSourceText } from './read-file.ts';

/** A document as text. */
export type ConfigText = {
  readonly text: string;
  readonly format: ConfigFormat;
};

/** A document that is already parsed, such as a JSON import or a row of a database. */
export type ConfigData<Data extends object = object> = { readonly data: Data };

export type LoadOptions<TierName extends string = string> = {
  /** The tiers that the program calls. The document must define them, and may define others. */
  readonly tiers?: readonly TierName[];
};

/** The data of a configuration, for `createRouter({ providers, ...data })` and for `reconfigure`. */
export type LoadedConfig<TierName extends string = string> = RoutingConfig<never, TierName>;

/** The names of the tiers of data of this type; any name if the type does not know them. */
type TiersIn<Data> = Data extends { readonly tiers: infer Tiers } ? keyof Tiers & string : string;

async function documentOf(from: string | ConfigText | ConfigData): Promise<object> {
  if (typeof from === 'string') return await parseDocument(await readSourceText(from));
  if (typeof from === 'object' && from !== null) {
    if ('data' in from) return documentOfData(from.data);
    const { text, format } = from;
    if (typeof text === 'string') return await parseDocument({ text, format });
  }
  throw documentError('loadConfig takes a path, { text, format } or { data }');
}

/** The tiers that the program calls and the document lacks. */
function missingTiers(document: object, names: readonly string[]): readonly Problem[] {
  const tiers: unknown = Reflect.get(document, 'tiers');
  if (typeof tiers !== 'object' || tiers === null) return [];
  return names
    .filter((name) => !Object.hasOwn(tiers, name))
    .map((name) => ({
      path: ['tiers'],
      message: `the program calls a tier ${quoted(name)}, which is not defined`,
      hint: { name, known: Object.keys(tiers), otherwise: 'list' } as const,
    }));
}

/**
 * Loads the configuration of a router, without its providers: `createRouter({ providers, ...await loadConfig(path) })`.
 * A path must end with `.yaml`, `.yml` or `.json`. In a file, `${NAME}` is replaced by the environment variable, for the
 * names in the document's list `env`. Names of providers and of your own strategies are checked by `createRouter`.
 *
 * @throws SignalboxError `config` that lists every problem with its path and, from a text, its line and column
 */
export function loadConfig<const TierName extends string = string>(
  from: string | ConfigText,
  options?: LoadOptions<TierName>,
): Promise<LoadedConfig<TierName>>;
export function loadConfig<Data extends object, const TierName extends string = TiersIn<Data>>(
  from: ConfigData<Data>,
  options?: LoadOptions<TierName>,
): Promise<LoadedConfig<TierName>>;
export async function loadConfig(
  from: string | ConfigText | ConfigData,
  { tiers = [] }: LoadOptions = {},
): Promise<LoadedConfig> {
  if (!Array.isArray(tiers)) throw documentError('tiers must be a list of names');
  const document = await documentOf(from);
  const problems = missingTiers(document, tiers);
  checkRouting(document, undefined, problems);
  return document as LoadedConfig;
}
