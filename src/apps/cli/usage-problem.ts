import { isSignalboxError } from '../../errors.ts';

/** Something that whoever typed the command can mend. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem';
}

/** Whether the error's message is for whoever typed the command. */
export function isUsageProblem(error: unknown): error is Error {
  if (error instanceof UsageProblem || isSignalboxError(error, 'config')) return true;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_PARSE_ARGS');
}
