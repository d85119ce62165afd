const emptyPattern = /(?:)/;

/**
 * Replaces `RegExp.input`, which keeps the last matched string in memory, with an empty string. After a call it could be
 * the whole answer.
 */
export function forgetLastMatch(): void {
  emptyPattern.test('');
}
