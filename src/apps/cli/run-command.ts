import { nodeVersionProblem } from '../../internal/node-version.ts';
import { version } from '../../internal/version.ts';
import type { CommandResult } from './command-result.ts';
import { drillCommand } from './drill-command.ts';
import { isUsageProblem } from './usage-problem.ts';

const help = `signalbox: an LLM router inside your process

  signalbox drill --config <module> --tier <name> --fault <fault>   run a fire drill
  signalbox drill --help
  signalbox --help                                                  print this text
  signalbox --version                                               print the version`;

/** Runs the command in the arguments. Never throws and prints nothing. */
export async function runCommand(args: readonly string[]): Promise<CommandResult> {
  const oldNode = nodeVersionProblem();
  if (oldNode !== undefined) return { exitCode: 2, output: '', problem: oldNode };
  const [command, ...rest] = args;
  if (command === undefined || command === '--help' || command === '-h') {
    return { exitCode: command === undefined ? 2 : 0, output: help, problem: '' };
  }
  if (command === '--version' || command === '-v') {
    return { exitCode: 0, output: version, problem: '' };
  }
  try {
    if (command === 'drill') return await drillCommand(rest);
    const problem = `unknown command "${command}"\n\n${help}`;
    return { exitCode: 2, output: '', problem };
  } catch (error) {
    // The stack is for bugs. A usage problem needs only its message.
    const text = isUsageProblem(error) ? error.message : error instanceof Error && error.stack;
    return { exitCode: 2, output: '', problem: `signalbox ${command}: ${text || String(error)}` };
  }
}
