import { configError } from '../../config/problems.ts';

/** A cap or a baseline that is misspelt would not be in force. @throws SignalboxError `config` */
export function checkOptionNames(
  of: string,
  options: object,
  known: Readonly<Record<string, true>>,
): void {
  const names = Object.keys(known);
  const problems = Object.keys(options)
    .filter((name) => !Object.hasOwn(known, name))
    .map((name) => {
      const hint = { name, known: names, otherwise: 'list' } as const;
      return { path: [name], message: 'unknown option', hint };
    });
  if (problems.length > 0) throw configError(problems, `options of ${of}`);
}
