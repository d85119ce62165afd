import { describe, expect, it } from 'vitest';
import { outputParts, outputText, wireMedia } from '../../../src/wires/common/request.ts';

describe('wireMedia', () => {
  it('encodes bytes', () => {
    const source = { data: new Uint8Array([1, 2, 3]), mediaType: 'image/png' };
    expect(wireMedia(source)).toEqual({ kind: 'base64', data: 'AQID', mediaType: 'image/png' });
  });

  it('decodes a data URL', () => {
    expect(wireMedia({ url: 'data:image/png;charset=x;base64,AQID' })).toEqual({
      kind: 'base64',
      data: 'AQID',
      mediaType: 'image/png',
    });
  });

  it('passes on other URLs and ids', () => {
    expect(wireMedia({ url: 'https://a/b' })).toMatchObject({ kind: 'url', url: 'https://a/b' });
    expect(wireMedia({ ref: { provider: 'p', id: 'f' } })).toMatchObject({ kind: 'ref', id: 'f' });
  });
});

describe('a tool output', () => {
  it('is a list of parts only when every element is a part', () => {
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

  it('is unchanged when it is a string, else JSON', () => {
    expect(outputText('a')).toBe('a');
    expect(outputText({ a: 1 })).toBe('{"a":1}');
  });
});
