function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Also true for bytes of another realm, where `instanceof` is false. */
function isBytes(value: unknown): boolean {
  const tag = Object.prototype.toString.call(value);
  return tag === '[object Uint8Array]' || tag === '[object ArrayBuffer]';
}

/** Why the source of an image, audio or file part is invalid; `undefined` when it is valid. */
export function mediaProblem(source: unknown): string | undefined {
  const kinds = 'must be { url }, { data, mediaType } or { ref }';
  if (!isObject(source)) return kinds;
  const { mediaType } = source;
  if (mediaType !== undefined && typeof mediaType !== 'string') return 'mediaType must be a string';
  if ('ref' in source) {
    const { ref } = source;
    const isRef = isObject(ref) && typeof ref.provider === 'string' && typeof ref.id === 'string';
    return isRef ? undefined : 'ref must be { provider, id }, both strings';
  }
  if ('url' in source) return typeof source.url === 'string' ? undefined : 'url must be a string';
  if (!('data' in source)) return kinds;
  if (mediaType === undefined) return 'data needs a mediaType';
  const isData = typeof source.data === 'string' || isBytes(source.data);
  return isData ? undefined : 'data must be a Uint8Array, or base64 as a string';
}
