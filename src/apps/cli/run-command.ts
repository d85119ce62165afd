import type { CommandResult } from './command-result.ts';
import { drillCommand } from './drill-command.ts';
import { isUsageProblem } from './usage-problem.ts';

const help = `signalbox: an LLM router inside your process

  signalbox drill --config <module> --tier <name> --fault <fault>   a fire drill
  signalbox drill --help`;

/** Runs the command that the arguments name. Never throws; prints nothing itself. */
export async function runCommand(args: readonly string[]): Promise<CommandResult> {
  const [command, ...rest] = args;
  if (command === undefined || command === '--help' || command === '-h') {
    return { exitCode: command === undefined ? 2 : 0, output: help, problem: '' };
  }
  try {
    if (command === 'drill') return await drillCommand(rest);
    const problem = `there is no command "${command}"\n\n${help}`;
    return { exitCode: 2, output: '', problem };
  } catch (error) {
    // A defect is told with its stack; what the user can mend is told in words.
    const told = isUsageProblem(error) ? error.message : error instanceof Error && error.stack;
    return { exitCode: 2, output: '', problem: `signalbox ${command}: ${told || String(error)}` };
  }
}
