import type { RE2JS } from 're2js';
import { once } from './once.ts';

/** A regular expression of a linear-time engine: no text takes long, whatever the pattern is. */
export type LinearPattern = {
  /** Whether any part of the text matches. */
  test(text: string): boolean;
};

/**
 * Loaded with the first pattern, and not by `import()`: a configuration is checked before `createRouter` returns. The
 * main entry imports no module of Node, so that it can be bundled for anything.
 */
const engine = once((): typeof RE2JS => {
  try {
    const { createRequire } = process.getBuiltinModule('node:module');
    return createRequire(import.meta.url)('re2js').RE2JS;
  } catch (cause) {
    throw new Error('a pattern needs the package "re2js": run npm install re2js', { cause });
  }
});

/** @throws Error that says why the pattern cannot be used */
export function linearPattern(pattern: string): LinearPattern {
  const { compile } = engine();
  try {
    return compile(pattern);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown reason';
    const why = reason.replace('error parsing regexp: ', '');
    throw new Error(`not a regular expression in RE2 syntax: ${why}`, { cause });
  }
}
