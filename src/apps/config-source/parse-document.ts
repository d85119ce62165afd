import { configError, type Problem } from '../../config/problems.ts';
import { dataFlaws } from '../../internal/caller-data.ts';
import { type Locate, rememberPositions } from '../../internal/document-positions.ts';
import { quoted } from '../../internal/quoted.ts';
import { checkValues } from './check-values.ts';
import type { ParsedDocument } from './document-builder.ts';
import { readJson } from './read-json.ts';
import { readYaml } from './read-yaml.ts';

export type ConfigFormat = 'yaml' | 'json';

/** 1 MB: thousands of targets, and parsed in about a second. */
export const maxDocumentBytes = 1_000_000;

/** A text, and where it comes from. */
export type SourceText = {
  readonly text: string;
  readonly format: ConfigFormat;
  /** Its name in errors, such as the file's. */
  readonly name?: string | undefined;
  /** The variables that `${NAME}` may refer to. Without them, the document cannot use the environment. */
  readonly variables?: Readonly<Record<string, string | undefined>> | undefined;
};

/** One error for a document that has no text, or no usable one. */
export function documentError(message: string) {
  return configError([{ path: [], message }]);
}

/** Parses a text to a value, and finds what is wrong with it as a text. @throws SignalboxError `config` if it is too long */
export async function parseText({ text, format, name }: SourceText): Promise<ParsedDocument> {
  if (Buffer.byteLength(text) > maxDocumentBytes) {
    throw documentError(`${name ?? 'the document'} has more than ${maxDocumentBytes} bytes`);
  }
  if (format === 'json') return readJson(text, name);
  if (format === 'yaml') return await readYaml(text, name);
  throw documentError(`the format must be "yaml" or "json", not ${quoted(format)}`);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks the parts of a document that are not the router's, and removes them. */
function checkDocument(document: object, variables: SourceText['variables']): readonly Problem[] {
  Reflect.deleteProperty(document, '$schema');
  const problems = [...checkValues(document, variables)];
  if (Object.hasOwn(document, 'providers')) {
    const message =
      'a document for createRouter cannot define providers; only one for commands can';
    problems.push({ path: ['providers'], message });
  }
  return problems;
}

/**
 * Parses a document to an object.
 * @throws SignalboxError `config` that lists every problem of the text with its path and position
 */
export async function parseObject(
  source: SourceText,
): Promise<{ readonly value: object; readonly locate: Locate }> {
  const { value, problems, locate } = await parseText(source);
  if (problems.length > 0) throw configError(problems, undefined, locate);
  if (!isObject(value)) {
    const problem = { path: [], message: 'must be an object with "tiers"' };
    throw configError([problem], undefined, locate);
  }
  return { value, locate };
}

/**
 * Parses a document to the data of a configuration, which the router validates.
 * @throws SignalboxError `config` that lists every problem with its path and position
 */
export async function parseDocument(source: SourceText): Promise<object> {
  const { value, locate } = await parseObject(source);
  const found = checkDocument(value, source.variables);
  if (found.length > 0) throw configError(found, undefined, locate);
  rememberPositions(value, locate);
  return value;
}

/**
 * Copies data that is parsed already, because its owner may change it later, without what is not the router's.
 * @throws SignalboxError `config` that lists every problem with its path
 */
export function documentOfData(data: unknown): object {
  if (!isObject(data)) throw documentError('must be an object with "tiers"');
  // The router reports why: such data cannot be copied.
  if (dataFlaws(data).some(({ kind }) => kind !== 'name')) return data;
  let document: object;
  try {
    document = structuredClone(data);
  } catch (cause) {
    throw documentError('must be plain data, without functions').with({ cause });
  }
  const problems = checkDocument(document, undefined);
  if (problems.length > 0) throw configError(problems);
  return document;
}
