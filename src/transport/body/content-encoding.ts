import type { Transform } from 'node:stream';
import { own } from '../../internal/own.ts';
import { Pulled, readOn } from '../../internal/reads.ts';
import type { Body } from './response.ts';

type Zlib = typeof import('node:zlib');

/** What undoes each encoding. Half a stream is given out as far as it goes, as `fetch` does. */
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

async function* piecesOf(body: Body): AsyncGenerator<Uint8Array, void> {
  try {
    const next = () => readOn(() => body.read());
    for (let piece = await next(); piece !== undefined; piece = await next()) yield piece;
  } finally {
    body.cancel();
  }
}

/**
 * The body without its `content-encoding`. We ask for none, so that only servers that compress all the same
 * bring us here. An encoding that we do not know is left as it is.
 */
export function decoded(body: Body, contentEncoding: string | null): Body {
  const name = contentEncoding?.trim().toLowerCase().replace(/^x-/, '');
  const decoder = name === undefined ? undefined : own(decoders, name);
  if (decoder === undefined) return body;
  // Loaded only for servers of that kind.
  const stream = decoder(process.getBuiltinModule('node:zlib'));
  const { pipeline } = process.getBuiltinModule('node:stream');
  pipeline(piecesOf(body), stream, () => undefined);
  const iterator = stream[Symbol.asyncIterator]();
  const pieces = new Pulled<Uint8Array | undefined>(async () => {
    const { done, value } = await iterator.next();
    return done === true ? undefined : value;
  });
  return {
    hasArrived: false,
    read: () => pieces.read(),
    cancel() {
      stream.destroy();
      // Whoever feeds the stream may be waiting for bytes that never come.
      body.cancel();
    },
  };
}
