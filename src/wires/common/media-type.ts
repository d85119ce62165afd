import { own } from '../../internal/own.ts';

/** Names in use for a media type, and the one that vendors accept. */
const aliases: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/jpe': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-jpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'image/apng': 'image/png',
  'image/x-webp': 'image/webp',
  'image/x-gif': 'image/gif',
  'audio/wave': 'audio/wav',
  'audio/x-wav': 'audio/wav',
  'audio/vnd.wave': 'audio/wav',
  'audio/x-pn-wav': 'audio/wav',
  'audio/mp3': 'audio/mpeg',
  'audio/mpeg3': 'audio/mpeg',
  'audio/x-mp3': 'audio/mpeg',
  'audio/x-mpeg': 'audio/mpeg',
  'audio/x-flac': 'audio/flac',
  'audio/x-aac': 'audio/aac',
  'audio/x-m4a': 'audio/mp4',
  'application/x-pdf': 'application/pdf',
  'application/acrobat': 'application/pdf',
  'text/pdf': 'application/pdf',
  'text/x-markdown': 'text/markdown',
};

/** The first bytes of formats, as the first characters of their base64. */
const signatures: readonly (readonly [start: RegExp, mediaType: string])[] = [
  [/^\/9j\//, 'image/jpeg'],
  [/^iVBORw0KGgo/, 'image/png'],
  [/^R0lGOD/, 'image/gif'],
  [/^UklGR.{6}XRUJQ/, 'image/webp'],
  [/^UklGR.{6}XQVZF/, 'audio/wav'],
  [/^JVBERi/, 'application/pdf'],
];

/** Labels of programs that did not look at the data. */
const vague = /^$|\*|^(?:application|binary)\/octet-stream$/;

/** The media type in the spelling that vendors know: lower case, without parameters, and by its registered name. */
export function soundMediaType(mediaType: string): string {
  const [bare = ''] = mediaType.split(';', 1);
  const name = bare.trim().toLowerCase();
  return own(aliases, name) ?? name;
}

/** The media type of base64 data: the one set, or the one that its first bytes show when the one set says nothing. */
export function mediaTypeOf(mediaType: string, base64: string): string {
  const name = soundMediaType(mediaType);
  if (!vague.test(name)) return name;
  const start = base64.slice(0, 32);
  const shown = signatures.find(([pattern]) => pattern.test(start))?.[1];
  return shown ?? (name === '' ? 'application/octet-stream' : name);
}

/** The longest start of a data URL that is read as its header. */
const maxHeader = 1000;

/** The base64 and the media type of a data URL, which may lack its type; `undefined` for any other URL. */
export function readDataUrl(
  url: string,
  otherwise = '',
): { readonly data: string; readonly mediaType: string } | undefined {
  const start = url.slice(0, maxHeader).trimStart();
  if (!/^data:/i.test(start)) return undefined;
  const comma = start.indexOf(',');
  if (comma < 0) return undefined;
  const [mediaType = '', ...parameters] = start.slice('data:'.length, comma).split(';');
  const payload = url.trimStart().slice(comma + 1);
  const isBase64 = parameters.some((each) => each.trim().toLowerCase() === 'base64');
  const data = isBase64 ? soundBase64(payload) : Buffer.from(unescaped(payload)).toString('base64');
  const type = mediaType.trim() === '' ? otherwise : mediaType;
  const isText = type === '' && !isBase64;
  return { data, mediaType: mediaTypeOf(isText ? 'text/plain' : type, data) };
}

/** Text with `%` escapes as bytes. */
function unescaped(text: string): Uint8Array {
  const latin = Buffer.from(text, 'utf8').toString('latin1');
  const bytes = latin.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1');
}

const oddBase64 = /[^A-Za-z0-9+/=]/;

/** Base64 as vendors read it: without line breaks and escapes, and not in the alphabet for URLs. */
export function soundBase64(data: string): string {
  if (!oddBase64.test(data)) return data;
  const plain = data.includes('%') ? Buffer.from(unescaped(data)).toString('latin1') : data;
  const sound = plain.replaceAll(/\s+/g, '').replaceAll('-', '+').replaceAll('_', '/');
  return oddBase64.test(sound) ? data : sound;
}
