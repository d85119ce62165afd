import { crc32 } from 'node:zlib';

/** One frame of AWS's binary event stream, as Bedrock sends it. `more` are encoded headers. */
export function awsFrame(
  headers: Readonly<Record<string, string>>,
  payload: string,
  more: Buffer = Buffer.alloc(0),
): Buffer {
  const encoded = Object.entries(headers).map(([name, value]) => {
    const bytes = Buffer.from(value);
    const head = Buffer.alloc(2);
    head.writeUInt16BE(bytes.length);
    return Buffer.concat([
      Buffer.from([name.length]),
      Buffer.from(name),
      Buffer.from([7]),
      head,
      bytes,
    ]);
  });
  const headerBytes = Buffer.concat([...encoded, more]);
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(12 + headerBytes.length + body.length + 4, 0);
  prelude.writeUInt32BE(headerBytes.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const checked = Buffer.concat([prelude, headerBytes, body]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(checked));
  return Buffer.concat([checked, checksum]);
}

/** A frame with an event of the vendor whose model Bedrock serves. */
export function awsChunk(event: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(event)).toString('base64');
  return awsFrame(
    {
      ':event-type': 'chunk',
      ':content-type': 'application/json',
      ':message-type': 'event',
    },
    JSON.stringify({ bytes, p: 'abcdef' }),
  );
}

/** A frame that ends the stream with an exception. */
export function awsException(type: string, message: string): Buffer {
  return awsFrame(
    {
      ':exception-type': type,
      ':content-type': 'application/json',
      ':message-type': 'exception',
    },
    JSON.stringify({ message }),
  );
}
