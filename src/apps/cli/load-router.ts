import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RouterConfig } from '../../protocol/config.ts';
import type { Router } from '../../protocol/router.ts';
import { createRouter } from '../../router.ts';
import { UsageProblem } from './usage-problem.ts';

/** The exports that may be a configuration or a router, in this order. */
const exportNames = ['default', 'config', 'router'] as const;

function hasMembers(value: unknown, names: readonly string[]): value is object {
  return typeof value === 'object' && value !== null && names.every((name) => name in value);
}

async function importModule(path: string): Promise<object> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as object;
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      const reason = `TypeScript requires Node 22.18, this is Node ${process.versions.node}`;
      throw new UsageProblem(`cannot load ${path}: ${reason}; use a JavaScript module`);
    }
    throw new UsageProblem(`cannot load ${path}: ${message}`, { cause: error });
  }
}

/**
 * Returns the router that a module exports, or creates one from the configuration that it exports.
 * @throws UsageProblem when the module cannot be loaded or exports neither.
 * @throws SignalboxError `config` for an invalid configuration.
 */
export async function loadRouter(path: string): Promise<Router> {
  const module = await importModule(path);
  for (const name of exportNames) {
    const value: unknown = Reflect.get(module, name);
    if (hasMembers(value, ['complete', 'stream', 'drill', 'close'])) return value as Router;
    if (hasMembers(value, ['providers', 'tiers'])) return createRouter(value as RouterConfig);
  }
  throw new UsageProblem(
    `${path} exports neither a configuration nor a router: use a default export, or name it "config" or "router"`,
  );
}
