import { once } from '../internal/once.ts';
import type { Pattern } from '../routing/rules.ts';

type Re2 = Pick<typeof import('re2js'), 'RE2JS'>;

/**
 * The regular expressions of RE2, whose time grows with the length of the text only. Required instead of imported, so
 * that a configuration is checked at once.
 */
const loadRe2 = once((): { readonly re2?: Re2 } => {
  const { createRequire } = process.getBuiltinModule('node:module');
  try {
    return { re2: createRequire(import.meta.url)('re2js') as Re2 };
  } catch {
    return {};
  }
});

/** A pattern, or why there is none. */
export type CompiledPattern =
  | { readonly pattern: Pattern; readonly problem?: undefined }
  | { readonly pattern?: undefined; readonly problem: string };

/** Compiles a pattern. Loads the package `re2js` for the first one. */
export function compilePattern(source: string, load = loadRe2): CompiledPattern {
  const { re2 } = load();
  if (re2 === undefined) {
    return {
      problem: 'needs the package "re2js", which is not installed; install it: npm i re2js',
    };
  }
  try {
    const compiled = re2.RE2JS.compile(source);
    return { pattern: (text) => compiled.test(text) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it cannot be compiled';
    return { problem: `must be a regular expression of RE2: ${reason}` };
  }
}
