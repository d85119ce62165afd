import type { Media, Part } from '../../protocol/message.ts';

export type MediaPart = Extract<Part, { type: 'image' | 'audio' | 'file' }>;

/** Vendors count an image by its pixels: most ask for 250 to 1600 tokens, and 85 at low detail. */
const imageTokens = { low: 85, other: 1000 } as const;

/** A file or an audio clip whose size is unknown: a URL, or an uploaded file. */
const unknownMediaTokens = 1500;

/** Bytes that make a token, by the start of the media type. The first match applies. */
const bytesPerToken: readonly (readonly [start: string, bytes: number])[] = [
  ['text/', 4],
  ['application/json', 4],
  // 25 tokens for a second of 16 kB.
  ['audio/', 640],
  ['video/', 640],
  // A page of a PDF has about 1500 tokens and 100 kB.
  ['', 64],
];

/** Bytes of base64 are three quarters of its characters. */
function bytesOf(source: Media): number | undefined {
  if ('data' in source) {
    const { data } = source;
    return typeof data === 'string' ? data.length * 0.75 : data.byteLength;
  }
  return 'url' in source && /^data:/i.test(source.url) ? source.url.length * 0.75 : undefined;
}

function mediaTypeOf(source: Media): string {
  const inUrl = 'url' in source ? /^data:([^;,]{1,100})/i.exec(source.url)?.[1] : undefined;
  return (source.mediaType ?? inUrl ?? '').trim().toLowerCase();
}

/** Estimated tokens of an image, an audio clip or a file, which are not those of its base64. */
export function mediaTokens(part: MediaPart): number {
  const mediaType = mediaTypeOf(part.source);
  const detail = part.type === 'image' && part.detail === 'low' ? 'low' : 'other';
  if (part.type === 'image' || mediaType.startsWith('image/')) return imageTokens[detail];
  const bytes = bytesOf(part.source);
  if (bytes === undefined) return unknownMediaTokens;
  const type = part.type === 'audio' && !mediaType.startsWith('audio/') ? 'audio/' : mediaType;
  const perToken = bytesPerToken.find(([start]) => type.startsWith(start))?.[1] ?? 1;
  return bytes / perToken;
}
