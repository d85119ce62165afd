import { isSignalboxError } from '../../errors.ts';

/** A problem that the user of the command can fix. */
export class UsageProblem extends Error {
  override readonly name = 'UsageProblem';
}

/** Whether the error's message is meant for the user of the command. */
export function isUsageProblem(error: unknown): error is Error {
  if (error instanceof UsageProblem || isSignalboxError(error, 'config')) return true;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_PARSE_ARGS');
}
