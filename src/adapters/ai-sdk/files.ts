import { SignalboxError } from '../../errors.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Part } from '../../protocol/message.ts';
import { wireMedia } from '../../wires/common/request.ts';
import type { Specification } from './model.ts';

type FilePart = Extract<Part, { type: 'image' | 'audio' | 'file' }>;
type WireMedia = ReturnType<typeof wireMedia>;

/** The media types of URLs and references that do not set one. */
const defaultTypes = { image: 'image/*', audio: 'audio/*', file: 'application/pdf' } as const;

function unsupported(what: string, specification: Specification): SignalboxError {
  return new SignalboxError(
    'unsupported',
    `specification ${specification} of the AI SDK does not support ${what}`,
  );
}

function taggedData(media: WireMedia): JsonObject {
  switch (media.kind) {
    case 'base64':
      return { type: 'data', data: media.data };
    case 'url':
      return { type: 'url', url: new URL(media.url) };
    default:
      return { type: 'reference', reference: { [media.provider]: media.id } };
  }
}

/** Before v4, `data` is a base64 string or a URL. */
function bareData(media: WireMedia, specification: Specification): unknown {
  if (media.kind === 'base64') return media.data;
  if (media.kind === 'url') return new URL(media.url);
  throw unsupported("a reference to a vendor's file", specification);
}

/** A file in a prompt. @throws SignalboxError `unsupported` when the specification cannot represent it. */
export function promptFile(part: FilePart, specification: Specification): JsonObject {
  const media = wireMedia(part.source);
  const mediaType = media.mediaType ?? defaultTypes[part.type];
  const filename = part.type === 'file' ? part.filename : undefined;
  const data = specification === 'v4' ? taggedData(media) : bareData(media, specification);
  return { type: 'file', data, mediaType, ...(filename !== undefined && { filename }) };
}

/** A file in a tool's result. @throws SignalboxError `unsupported` when the specification cannot represent it. */
export function resultFile(part: FilePart, specification: Specification): JsonObject {
  if (specification === 'v4') return promptFile(part, specification);
  const media = wireMedia(part.source);
  const mediaType = media.mediaType ?? defaultTypes[part.type];
  const kind = part.type === 'image' ? 'image' : 'file';
  if (media.kind === 'base64') {
    const type = specification === 'v2' ? 'media' : `${kind}-data`;
    return { type, data: media.data, mediaType };
  }
  if (media.kind === 'url' && specification === 'v3')
    return { type: `${kind}-url`, url: media.url };
  throw unsupported("a file by URL or reference in a tool's result", specification);
}
