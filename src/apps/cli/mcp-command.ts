import { Writable } from 'node:stream';
import { closest } from '../../internal/closest.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Router } from '../../protocol/router.ts';
import type { CommandResult } from './command-result.ts';
import { loadRouter } from './open-source.ts';
import { fileOf, parseOptions, UsageProblem } from './usage-problem.ts';

const mcpHelp = `signalbox mcp <file>: serve the tiers of a router as tools over MCP, on standard
input and output

  <file>           YAML or JSON file with providers, or a module that exports a
                   configuration or a router
  --config <file>  the same as <file>
  --tier <name>    a tier that clients see; repeatable (default: all)

The calls of clients are real and are billed. Ends when the client closes its end
or at SIGINT and SIGTERM. What the module prints goes to standard error.
Exit code 0: ended, 2: could not run.`;

const options = {
  config: { type: 'string' },
  tier: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Takes standard output for the protocol: what anything else prints there goes to standard error from now on. */
function takeStdout(): Writable {
  const { stdout, stderr } = process;
  const write = stdout.write.bind(stdout);
  stdout.write = stderr.write.bind(stderr);
  stdout.on('error', () => protocol.destroy());
  const protocol = new Writable({
    write: (chunk: Buffer, encoding, done) => void write(chunk, encoding, done),
  });
  return protocol;
}

async function loadServer() {
  try {
    const [{ serveStdio, StdioServerTransport }, { createMcpServer }] = await Promise.all([
      import('@modelcontextprotocol/server/stdio'),
      import('../mcp/create-mcp-server.ts'),
    ]);
    return { serveStdio, StdioServerTransport, createMcpServer };
  } catch (error) {
    const { code } = error as Error & { readonly code?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const hint = 'install it: npm i @modelcontextprotocol/server';
    throw new UsageProblem(`needs @modelcontextprotocol/server; ${hint}`, { cause: error });
  }
}

async function checkTiers(router: Router, tiers: readonly string[]): Promise<void> {
  const { tiers: known } = await router.describe();
  const names = known.map(({ name }) => name);
  const wrong = tiers.find((tier) => !names.includes(tier));
  if (wrong === undefined) return;
  const near = closest(wrong, names);
  const hint = near === undefined ? '' : `; did you mean ${quoted(near)}?`;
  throw new UsageProblem(`--tier: there is no tier ${quoted(wrong)}${hint}`);
}

/** Serves until the client leaves or the process is asked to end. */
async function serve(router: Router, tiers: readonly string[] | undefined, output: Writable) {
  const { serveStdio, StdioServerTransport, createMcpServer } = await loadServer();
  const transport = new StdioServerTransport(process.stdin, output);
  const handle = serveStdio(() => createMcpServer(router, { tiers }), {
    transport,
    onerror: (error) => void process.stderr.write(`signalbox mcp: ${error.message}\n`),
  });
  const ended = Promise.withResolvers<void>();
  const end = (): void => ended.resolve();
  const closed = transport.onclose;
  transport.onclose = () => {
    closed?.();
    end();
  };
  // The transports of early versions go on when their input ends.
  process.stdin.once('end', end).once('close', end);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  await ended.promise;
  await handle.close();
}

/**
 * `signalbox mcp`: serves a router to one MCP client over standard input and output.
 * @throws UsageProblem, or SignalboxError `config`, if the file or a tier is invalid
 */
export async function mcpCommand(args: readonly string[]): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return { exitCode: 0, output: mcpHelp, problem: '' };
  const file = fileOf(values.config, positionals, mcpHelp);
  const output = takeStdout();
  const router = await loadRouter(file);
  try {
    await checkTiers(router, values.tier ?? []);
    await serve(router, values.tier, output);
  } finally {
    await router.close();
  }
  return { exitCode: 0, output: '', problem: '' };
}
