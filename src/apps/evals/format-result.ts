import type { RunResult } from './run-result.ts';

/** Lists with these names have one line for each element, so that a difference of two files is one of cases. */
const listNames: readonly string[] = ['targets', 'cases', 'judges'];

function format(value: unknown, margin: string, name: string): string {
  const inner = `${margin}  `;
  if (Array.isArray(value) && listNames.includes(name) && value.length > 0) {
    const lines = value.map(
      (each: unknown) =>
        `${inner}${name === 'targets' ? format(each, inner, '') : JSON.stringify(each)}`,
    );
    return `[\n${lines.join(',\n')}\n${margin}]`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([field, each]) => {
      const isFlat = !Object.keys(Object(each)).some((key) => listNames.includes(key));
      const text =
        isFlat && !listNames.includes(field) ? JSON.stringify(each) : format(each, inner, field);
      return `${inner}${JSON.stringify(field)}: ${text}`;
    });
  return `{\n${fields.join(',\n')}\n${margin}}`;
}

/** A result as JSON with one line for each case, in the order of the suite. */
export function formatResult(result: RunResult): string {
  return `${format(result, '', '')}\n`;
}
