import { describe, expect, it } from 'vitest';
import { vectorsOf } from '../../../src/adapters/openai-shared/other-tasks.ts';

describe('the vectors of an answer', () => {
  it('are sorted by index', () => {
    const data = [
      { index: 1, embedding: [2, 2] },
      { index: 0, embedding: [1, 1] },
    ];
    expect(vectorsOf(data)).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('are read from base64, which some servers always send', () => {
    const bytes = Buffer.alloc(8);
    bytes.writeFloatLE(0.5, 0);
    bytes.writeFloatLE(-2, 4);
    expect(vectorsOf([{ embedding: bytes.toString('base64') }])).toEqual([[0.5, -2]]);
  });

  it.each([[undefined], [[]], [[{ index: 0 }]], [[{ embedding: ['x'] }]]])(
    'throw when they are missing: %j',
    (data) => {
      expect(() => vectorsOf(data)).toThrow('no vector');
    },
  );
});
