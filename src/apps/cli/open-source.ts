import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isSignalboxError, type SignalboxError } from '../../errors.ts';
import type { RouterConfig } from '../../protocol/config.ts';
import type { ConfigProblem } from '../../protocol/config-source.ts';
import type { Router } from '../../protocol/router.ts';
import { createRouter } from '../../router.ts';
import { type Placed, placesIn, readCommandDocument } from '../config-source/command-document.ts';
import type { SourceText } from '../config-source/parse-document.ts';
import { formatOf, readSourceText } from '../config-source/read-file.ts';
import { makeProviders } from './make-providers.ts';
import { UsageProblem } from './usage-problem.ts';

/** The file of a command: a router, or why its configuration is invalid. */
export type Source = (
  | { readonly router: Router; readonly placed: Placed }
  | { readonly invalid: SignalboxError }
) & {
  /** Variables of the environment that the document uses and that are not set. */
  readonly missing: readonly ConfigProblem[];
};

/** The exports that may be a configuration or a router, in this order. */
const exportNames = ['default', 'config', 'router'] as const;

function hasMembers(value: unknown, names: readonly string[]): value is object {
  return typeof value === 'object' && value !== null && names.every((name) => name in value);
}

/** @throws UsageProblem when the module cannot be loaded */
export async function importModule(path: string): Promise<object> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as object;
  } catch (error) {
    if (isSignalboxError(error, 'config')) throw error;
    const { code, message } = error as Error & { readonly code?: string };
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      const reason = `TypeScript requires Node 22.18, this is Node ${process.versions.node}`;
      throw new UsageProblem(`cannot load ${path}: ${reason}; use a JavaScript module`);
    }
    throw new UsageProblem(`cannot load ${path}: ${message}`, { cause: error });
  }
}

/** @throws UsageProblem when the module cannot be loaded or exports neither a configuration nor a router. */
async function openModule(path: string): Promise<{ router: Router; placed: Placed }> {
  const module = await importModule(path);
  for (const name of exportNames) {
    const value: unknown = Reflect.get(module, name);
    if (hasMembers(value, ['complete', 'stream', 'drill', 'close'])) {
      return { router: value as Router, placed: placesIn(undefined) };
    }
    if (hasMembers(value, ['providers', 'tiers'])) {
      return { router: createRouter(value as RouterConfig), placed: placesIn(value) };
    }
  }
  throw new UsageProblem(
    `${path} exports neither a configuration nor a router: use a default export, or name it "config" or "router"`,
  );
}

async function openDocument(text: SourceText, missing: ConfigProblem[]) {
  const { providers, routing } = await readCommandDocument(text, makeProviders, (problem) => {
    missing.push(problem);
  });
  return { router: createRouter({ providers, ...routing }), placed: placesIn(routing) };
}

/**
 * Opens the file of a command: a YAML or JSON document that defines providers, or a module that exports a configuration
 * or a router.
 * @throws UsageProblem when the module cannot be loaded or exports neither.
 * @throws SignalboxError `config` when the document cannot be read.
 */
export async function openSource(path: string): Promise<Source> {
  const missing: ConfigProblem[] = [];
  const text = formatOf(path) === undefined ? undefined : await readSourceText(path);
  try {
    const opened = text === undefined ? openModule(path) : openDocument(text, missing);
    return { ...(await opened), missing };
  } catch (error) {
    // Without a list of problems, it is not the configuration that is invalid.
    if (!isSignalboxError(error, 'config') || error.problems === undefined) throw error;
    return { invalid: error, missing };
  }
}

/** The router of a source. @throws SignalboxError `config` when its configuration is invalid. */
export function routerOf(source: Source): Router {
  if ('invalid' in source) throw source.invalid;
  return source.router;
}

/**
 * Opens a file to make calls.
 * @throws UsageProblem also when a variable of the environment is not set.
 * @throws SignalboxError `config` when the configuration is invalid.
 */
export async function loadRouter(path: string): Promise<Router> {
  const source = await openSource(path);
  const router = routerOf(source);
  const [first] = source.missing;
  if (first === undefined) return router;
  await router.close();
  throw new UsageProblem(`${first.path}: ${first.message}`);
}
