import type { Transform } from 'node:stream';
import { own } from '../../internal/own.ts';
import { nextValue, PullReader } from '../../internal/read.ts';
import type { Body } from './response.ts';

type Zlib = typeof import('node:zlib');

/** A decompressor per encoding. A truncated stream is decoded as far as it goes, as `fetch` does. */
const decoders: Readonly<Record<string, (zlib: Zlib) => Transform>> = {
  gzip: ({ createGunzip, constants }) =>
    createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }),
  deflate: ({ createInflate, constants }) =>
    createInflate({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }),
  br: ({ createBrotliDecompress, constants }) =>
    createBrotliDecompress({
      flush: constants.BROTLI_OPERATION_FLUSH,
      finishFlush: constants.BROTLI_OPERATION_FLUSH,
    }),
};

async function* chunksOf(body: Body): AsyncGenerator<Uint8Array, void> {
  try {
    const next = () => nextValue(() => body.read());
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
  } finally {
    body.cancel();
  }
}

/**
 * Undoes the body's `content-encoding`. Requests ask for none, but some servers compress anyway. An unknown encoding is
 * left as it is.
 */
export function decoded(body: Body, contentEncoding: string | null): Body {
  const name = contentEncoding?.trim().toLowerCase().replace(/^x-/, '');
  const decoder = name === undefined ? undefined : own(decoders, name);
  if (decoder === undefined) return body;
  // Loaded on first use, because few servers compress.
  const stream = decoder(process.getBuiltinModule('node:zlib'));
  const { pipeline } = process.getBuiltinModule('node:stream');
  pipeline(chunksOf(body), stream, () => undefined);
  const iterator = stream[Symbol.asyncIterator]();
  const chunks = new PullReader<Uint8Array | undefined>(async () => {
    const { done, value } = await iterator.next();
    return done === true ? undefined : value;
  });
  return {
    hasArrived: false,
    read: () => chunks.read(),
    cancel() {
      stream.destroy();
      // `chunksOf` may be waiting for bytes that never arrive.
      body.cancel();
    },
  };
}
