import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { isSignalboxError } from '../../errors.ts';

/** A problem that the user of the command can fix. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem';
}

type Parsed<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{
    args: string[];
    options: Options;
    strict: true;
    allowPositionals: true;
  }>
>;

/** Parses the arguments of a command. @throws an error that `isUsageProblem` knows */
export function parseOptions<const Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
): Parsed<Options> {
  return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
}

/** The file of a command: its only positional argument, or `--config`. @throws UsageProblem */
export function fileOf(
  config: string | undefined,
  positionals: readonly string[],
  help: string,
): string {
  const files = config === undefined ? positionals : [config, ...positionals];
  const [file] = files;
  if (files.length === 1 && file !== undefined && file !== '') return file;
  const problem = files.length > 1 ? `takes one file, not ${files.length}` : 'a file is required';
  throw new UsageProblem(`${problem}\n\n${help}`);
}

/** Whether the error's message is meant for the user of the command. */
export function isUsageProblem(error: unknown): error is Error {
  if (error instanceof UsageProblem || isSignalboxError(error, 'config')) return true;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_PARSE_ARGS');
}
