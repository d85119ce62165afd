import type { Json } from '../../protocol/json.ts';
import type { FilePart, ImagePart, Media, TextPart } from '../../protocol/message.ts';

/** Media in the forms that wires accept: base64, a URL, or the vendor's id of an uploaded file. */
export type WireMedia =
  | { readonly kind: 'base64'; readonly data: string; readonly mediaType: string }
  | { readonly kind: 'url'; readonly url: string; readonly mediaType: string | undefined }
  | {
      readonly kind: 'ref';
      readonly provider: string;
      readonly id: string;
      readonly mediaType: string | undefined;
    };

const dataUrl = /^data:([^;,]+)(?:;[^;,]+)*;base64,(.*)$/is;

/** Converts bytes and `data:` URLs to base64. */
export function wireMedia(source: Media): WireMedia {
  if ('ref' in source) return { kind: 'ref', ...source.ref, mediaType: source.mediaType };
  if ('url' in source) {
    const [, mediaType, data] = dataUrl.exec(source.url) ?? [];
    if (mediaType !== undefined && data !== undefined) return { kind: 'base64', data, mediaType };
    return { kind: 'url', url: source.url, mediaType: source.mediaType };
  }
  const data =
    typeof source.data === 'string' ? source.data : Buffer.from(source.data).toString('base64');
  return { kind: 'base64', data, mediaType: source.mediaType };
}

const outputPartTypes: readonly unknown[] = ['text', 'image', 'file'];

/** The parts of a tool's output, or `undefined` when it is plain JSON. */
export function outputParts(
  output: Json | readonly (TextPart | ImagePart | FilePart)[],
): readonly (TextPart | ImagePart | FilePart)[] | undefined {
  const isPartList = (
    value: typeof output,
  ): value is readonly (TextPart | ImagePart | FilePart)[] =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (each) => typeof each === 'object' && each !== null && outputPartTypes.includes(each.type),
    );
  return isPartList(output) ? output : undefined;
}

/** A tool's plain output as text. */
export function outputText(output: Json | readonly (TextPart | ImagePart | FilePart)[]): string {
  return typeof output === 'string' ? output : JSON.stringify(output);
}
