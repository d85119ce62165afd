const anything = /(?:)/;

/**
 * Node keeps the whole string that a regular expression has matched last, for `RegExp.input`. At the end of a call
 * that may be its answer: matching an empty string takes its place.
 */
export function forgetLastMatch(): void {
  anything.test('');
}
