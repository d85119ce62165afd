/** The result of a command. */
export type CommandResult = {
  /** 0: success. 1: the command ran and its check failed. 2: the command could not run. */
  readonly exitCode: 0 | 1 | 2;
  readonly output: string;
  readonly problem: string;
};
