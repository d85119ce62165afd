import { nodeVersionProblem } from '../../internal/node-version.ts';
import { version } from '../../internal/version.ts';
import { auditCommand } from './audit-command.ts';
import { checkCommand } from './check-command.ts';
import type { CommandResult } from './command-result.ts';
import { drillCommand } from './drill-command.ts';
import { explainCommand } from './explain-command.ts';
import { mcpCommand } from './mcp-command.ts';
import { type Notes, noNotes } from './progress-notes.ts';
import { reportCommand } from './report-command.ts';
import { serveCommand } from './serve-command.ts';
import { noTerminal, type Terminal } from './terminal.ts';
import { isUsageProblem } from './usage-problem.ts';

const help = `signalbox: an LLM router inside your process

  signalbox check <file>                   find mistakes in a configuration
  signalbox explain <file> --tier <name>   show which targets a call would try
  signalbox drill <file> --tier <name> --fault <fault>   run a fire drill
  signalbox report <events> --by <name>    show costs, times and failures
  signalbox serve <file> --port <n>        answer OpenAI and Anthropic clients
  signalbox evals run <file>               score the answers of every target
  signalbox audit verify <file>…           find changes in an audit log
  signalbox mcp <file>                     serve tiers as tools over MCP
  signalbox <command> --help
  signalbox --help                         print this text
  signalbox --version                      print the version

<file>: a YAML or JSON file with providers, or a module that exports a
configuration or a router
<events>: a file with the router's events, one line of JSON each`;

type Command = (
  args: readonly string[],
  terminal: Terminal,
  notes: Notes,
) => Promise<CommandResult>;

/** Loaded on use: it has the apps of a whole suite behind it. */
async function evalsCommand(...args: Parameters<Command>): Promise<CommandResult> {
  const command = await import('./evals-command.ts');
  return await command.evalsCommand(...args);
}

const commands: ReadonlyMap<string, Command> = new Map([
  ['check', checkCommand],
  ['explain', explainCommand],
  ['drill', drillCommand],
  ['report', reportCommand],
  ['serve', serveCommand],
  ['audit', auditCommand],
  ['mcp', mcpCommand],
  ['evals', evalsCommand],
]);

/** Runs the command in the arguments. Never throws. Only `serve` and `mcp` print something themselves. */
export async function runCommand(
  args: readonly string[],
  terminal: Terminal = noTerminal,
  notes: Notes = noNotes,
): Promise<CommandResult> {
  const oldNode = nodeVersionProblem();
  if (oldNode !== undefined) return { exitCode: 2, output: '', problem: oldNode };
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h') {
    return { exitCode: name === undefined ? 2 : 0, output: help, problem: '' };
  }
  if (name === '--version' || name === '-v') {
    return { exitCode: 0, output: version, problem: '' };
  }
  const command = commands.get(name);
  if (command === undefined) {
    const problem = `unknown command "${name}"\n\n${help}`;
    return { exitCode: 2, output: '', problem };
  }
  try {
    return await command(rest, terminal, notes);
  } catch (error) {
    // The stack is for bugs. A usage problem needs only its message.
    const text = isUsageProblem(error) ? error.message : error instanceof Error && error.stack;
    return { exitCode: 2, output: '', problem: `signalbox ${name}: ${text || String(error)}` };
  }
}
