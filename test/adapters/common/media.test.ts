import { describe, expect, it } from 'vitest';
import { outputParts, outputText, wireMedia } from '../../../src/wires/common/media.ts';

describe('wireMedia', () => {
  it('encodes bytes', () => {
    const source = { data: new Uint8Array([1, 2, 3]), mediaType: 'image/png' };
    expect(wireMedia(source)).toEqual({ kind: 'base64', data: 'AQID', mediaType: 'image/png' });
  });

  it('unpacks a data address', () => {
    expect(wireMedia({ url: 'data:image/png;charset=x;base64,AQID' })).toEqual({
      kind: 'base64',
      data: 'AQID',
      mediaType: 'image/png',
    });
  });

  it('passes other addresses and ids', () => {
    expect(wireMedia({ url: 'https://a/b' })).toMatchObject({ kind: 'url', url: 'https://a/b' });
    expect(wireMedia({ ref: { provider: 'p', id: 'f' } })).toMatchObject({ kind: 'ref', id: 'f' });
  });
});

describe('a tool output', () => {
  it('is a list of parts only when all of it is', () => {
    const parts = [{ type: 'text', text: 'a' }] as const;
    expect(outputParts(parts)).toBe(parts);
    for (const json of [
      [],
      'text',
      null,
      { type: 'text' },
      [{ type: 'text' }, 7],
      [{ kind: 'x' }],
    ]) {
      expect(outputParts(json)).toBeUndefined();
    }
  });

  it('is text as it is, and anything else as JSON', () => {
    expect(outputText('a')).toBe('a');
    expect(outputText({ a: 1 })).toBe('{"a":1}');
  });
});
