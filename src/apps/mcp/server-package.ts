import { SignalboxError } from '../../errors.ts';

const name = '@modelcontextprotocol/server';

type ServerPackage = typeof import('@modelcontextprotocol/server');

/**
 * Loads the package of MCP servers, which users of `mcpTools` do not need. Required instead of imported, so that a server is
 * made at once; by the address that an import has, because its classes for `require` are others.
 * @throws SignalboxError `config` if it is not installed
 */
export function serverPackage(
  resolve: (name: string) => string = import.meta.resolve,
): ServerPackage {
  const { createRequire } = process.getBuiltinModule('node:module');
  const { fileURLToPath } = process.getBuiltinModule('node:url');
  try {
    return createRequire(import.meta.url)(fileURLToPath(resolve(name)));
  } catch (cause) {
    const message = `createMcpServer() needs the package "${name}"; install it: npm i ${name}`;
    throw new SignalboxError('config', message, { cause });
  }
}
