/** What a command comes to. */
export type CommandResult = {
  /** 0 when it did what it should and found nothing amiss; 1 when it did; 2 when it could not be done. */
  readonly exitCode: 0 | 1 | 2;
  readonly output: string;
  readonly problem: string;
};
