import { SignalboxError } from '../../errors.ts';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import { outputParts, wireMedia } from '../../wires/common/request.ts';
import type { AiSdkModel, SupportedUrls } from './model.ts';

/** The media types of URLs and references that do not set one. */
export const defaultTypes = {
  image: 'image/*',
  audio: 'audio/*',
  file: 'application/pdf',
} as const;

type MediaUrl = { readonly url: string; readonly mediaType: string };

function urlsOf(part: Part): readonly MediaUrl[] {
  if (part.type === 'tool-result') return (outputParts(part.output) ?? []).flatMap(urlsOf);
  if (part.type !== 'image' && part.type !== 'audio' && part.type !== 'file') return [];
  const media = wireMedia(part.source);
  if (media.kind !== 'url') return [];
  return [{ url: media.url.toLowerCase(), mediaType: media.mediaType ?? defaultTypes[part.type] }];
}

/** Whether the model fetches the URL. Compared in lower case, as the AI SDK does. */
function isSupported({ url, mediaType }: MediaUrl, supported: SupportedUrls): boolean {
  return Object.entries(supported).some(([type, patterns]) => {
    const prefix = type.toLowerCase().replace(/^\*\/\*$|\*$/, '');
    // Not `test`, which is stateful for patterns with the flag `g`.
    return mediaType.startsWith(prefix) && patterns.some((each) => url.search(each) >= 0);
  });
}

function check(urls: readonly MediaUrl[], supported: SupportedUrls | undefined): void {
  if (supported === undefined || urls.every((each) => isSupported(each, supported))) return;
  throw new SignalboxError(
    'unsupported',
    'the model does not fetch media from this URL; pass the bytes',
  );
}

function isPending(
  value: NonNullable<AiSdkModel['supportedUrls']>,
): value is PromiseLike<SupportedUrls> {
  return typeof value.then === 'function';
}

/**
 * Checks that the model fetches all URLs of the conversation. The AI SDK downloads the others before it calls a model.
 * Returns a promise when the model has to be asked first.
 * @throws SignalboxError `unsupported`
 */
export function checkMediaUrls(
  { supportedUrls }: AiSdkModel,
  messages: readonly NormalMessage[],
): Promise<void> | undefined {
  const urls = messages.flatMap(({ content }) => content.flatMap(urlsOf));
  if (urls.length === 0 || supportedUrls === undefined) return undefined;
  if (isPending(supportedUrls)) {
    return Promise.resolve(supportedUrls).then((supported) => check(urls, supported));
  }
  check(urls, supportedUrls);
  return undefined;
}
