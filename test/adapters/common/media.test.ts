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

const jpeg = '/9j/4AAQ';
const png = 'iVBORw0KGgo=';

describe('a media type', () => {
  it.each([
    [{ data: jpeg, mediaType: 'image/jpg' }, 'image/jpeg', jpeg],
    [{ data: jpeg, mediaType: 'image/pjpeg' }, 'image/jpeg', jpeg],
    [{ data: png, mediaType: 'IMAGE/PNG' }, 'image/png', png],
    [{ data: png, mediaType: ' image/png ; charset=binary' }, 'image/png', png],
    [{ data: png, mediaType: 'image/*' }, 'image/png', png],
    [{ data: jpeg, mediaType: 'application/octet-stream' }, 'image/jpeg', jpeg],
    [{ data: 'AQID', mediaType: 'application/octet-stream' }, 'application/octet-stream', 'AQID'],
    [{ data: 'UklGRi4uLi5XQVZF', mediaType: '' }, 'audio/wav', 'UklGRi4uLi5XQVZF'],
    [{ data: 'UklGRi4uLi5XRUJQ', mediaType: '' }, 'image/webp', 'UklGRi4uLi5XRUJQ'],
    [{ data: 'AQID', mediaType: 'audio/x-wav' }, 'audio/wav', 'AQID'],
    [{ data: 'JVBERi0=', mediaType: 'application/x-pdf' }, 'application/pdf', 'JVBERi0='],
    [{ data: `data:image/png;base64,${png}`, mediaType: 'image/png' }, 'image/png', png],
    [{ data: 'AQ\r\nID', mediaType: 'image/png' }, 'image/png', 'AQID'],
    [{ data: '_9j_4AAQ', mediaType: 'image/jpg' }, 'image/jpeg', jpeg],
    [{ url: `data:image/jpg;base64,${jpeg}` }, 'image/jpeg', jpeg],
    [{ url: `DATA:Image/PNG;name="a.png";BASE64,${png}` }, 'image/png', png],
    [{ url: `data:;base64,${png}` }, 'image/png', png],
    [{ url: 'data:;base64,AQID', mediaType: 'image/gif' }, 'image/gif', 'AQID'],
    [{ url: 'data:image/png;base64,iVBORw0KGgo%3D' }, 'image/png', png],
    [{ url: 'data:,caf%C3%A9' }, 'text/plain', 'Y2Fmw6k='],
    [{ url: 'data:image/svg+xml;utf8,<svg/>' }, 'image/svg+xml', 'PHN2Zy8+'],
  ])('of %o is %s', (source, mediaType, data) => {
    expect(wireMedia(source)).toEqual({ kind: 'base64', mediaType, data });
  });

  it('keeps base64 that cannot be read, and reads a long header once', () => {
    const source = { data: 'not base64!', mediaType: 'image/png' };
    expect(wireMedia(source)).toMatchObject({ data: 'not base64!' });
    const url = `data:${';a'.repeat(1_000_000)}`;
    expect(wireMedia({ url })).toMatchObject({ kind: 'url' });
  });

  it('is the registered one of URLs and uploaded files too', () => {
    const url = 'https://a.test/b';
    expect(wireMedia({ url, mediaType: 'image/JPG' })).toMatchObject({ mediaType: 'image/jpeg' });
    const ref = { provider: 'p', id: 'f' };
    expect(wireMedia({ ref, mediaType: 'image/JPG' })).toMatchObject({ mediaType: 'image/jpeg' });
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
