import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closest } from '../../src/internal/closest.ts';

describe('closest', () => {
  test.each([
    ['opnai', ['anthropic', 'openai', 'google'], 'openai'],
    ['OpenAI', ['openai'], 'openai'],
    ['temprature', ['topP', 'temperature'], 'temperature'],
    ['fallbacktier', ['fallbackTier', 'fallbackOn'], 'fallbackTier'],
    ['mistral', ['openai', 'google'], undefined],
    ['ab', ['xy'], undefined],
    ['anything', [], undefined],
    ['x', ['😀'], undefined],
    ['fast😀', ['fast'], 'fast'],
  ])('finds for %j among %j: %j', (word, words, expected) => {
    expect(closest(word, words)).toBe(expected);
  });

  test('returns the closest word, and the first of equally close ones', () => {
    expect(closest('fast', ['fasten', 'fest', 'last'])).toBe('fest');
  });

  test('finds a word with one letter missing', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 3, unit: 'grapheme' }), fc.nat(), (word, position) => {
        const letters = [...word];
        letters.splice(position % letters.length, 1);
        expect(closest(letters.join(''), [word])).toBe(word);
      }),
    );
  });
});
