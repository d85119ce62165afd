import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameDecoder } from '../../src/transport/aws-event-stream.ts';
import { awsChunk, awsException, awsFrame } from '../support/aws-frames.ts';

function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    if (at >= bytes.length) return;
    yield new Uint8Array(bytes.subarray(at, at + size));
    at += size;
  }
}

async function decode(bytes: Buffer, sizes: readonly number[] = []) {
  const decoder = createFrameDecoder();
  const events = [];
  for (const chunk of [...cut(bytes, sizes), undefined]) {
    decoder.take(chunk);
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      events.push(event);
    }
  }
  return events;
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 });

describe('createFrameDecoder', () => {
  it('decodes the events wherever the bytes are split', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.json(), { maxLength: 8 }), sizes, async (texts, cuts) => {
        const values: unknown[] = texts.map((text) => JSON.parse(text));
        const events = await decode(Buffer.concat(values.map(awsChunk)), cuts);
        expect(events).toEqual(values.map((data) => ({ type: 'event', name: 'chunk', data })));
      }),
    );
  });

  it('detects every damaged byte', async () => {
    const whole = Buffer.concat([awsChunk({ a: 'one' }), awsChunk({ b: 'two' })]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const damaged = Buffer.from(whole);
          damaged[at] = (damaged[at] ?? 0) ^ flip;
          await expect(decode(damaged)).rejects.toMatchObject({ code: 'stream_interrupted' });
        },
      ),
    );
  });

  it('decodes an exception as an error event, after the events before it', async () => {
    const bytes = Buffer.concat([awsChunk({ a: 1 }), awsException('throttlingException', 'Slow')]);
    expect(await decode(bytes)).toEqual([
      { type: 'event', name: 'chunk', data: { a: 1 } },
      {
        type: 'event',
        name: 'error',
        data: { type: 'error', error: { type: 'throttlingException', message: 'Slow' } },
      },
    ]);
  });

  it('decodes an error without a payload', async () => {
    const headers = { ':message-type': 'error', ':error-code': 'internal', ':error-message': 'No' };
    expect(await decode(awsFrame(headers, ''))).toMatchObject([
      { name: 'error', data: { error: { type: 'internal', message: 'No' } } },
    ]);
  });

  it('decodes a payload that is not wrapped', async () => {
    const headers = { ':message-type': 'event', ':event-type': 'messageStart' };
    expect(await decode(awsFrame(headers, '{"role":"assistant"}'))).toEqual([
      { type: 'event', name: 'messageStart', data: { role: 'assistant' } },
    ]);
  });

  it('returns malformed for a payload that is not JSON', async () => {
    const headers = { ':message-type': 'event', ':event-type': 'chunk' };
    const bytes = Buffer.from('{oh').toString('base64');
    const frames = [awsFrame(headers, 'oh'), awsFrame(headers, JSON.stringify({ bytes }))];
    expect(await decode(Buffer.concat(frames))).toEqual([
      { type: 'malformed' },
      { type: 'malformed' },
    ]);
  });

  it('skips headers that are not strings', async () => {
    const boolean = Buffer.concat([Buffer.from([3]), Buffer.from('yes'), Buffer.from([0])]);
    const long = Buffer.concat([
      Buffer.from([1]),
      Buffer.from('n'),
      Buffer.from([5]),
      Buffer.alloc(8),
    ]);
    const bytes = Buffer.concat([Buffer.from([1]), Buffer.from('b'), Buffer.from([6, 0, 2, 1, 1])]);
    const more = Buffer.concat([boolean, long, bytes]);
    const frame = awsFrame({ ':event-type': 'chunk' }, '{"a":1}', more);
    expect(await decode(frame)).toEqual([{ type: 'event', name: 'chunk', data: { a: 1 } }]);
  });

  it('throws when the stream ends inside a frame', async () => {
    const frame = awsChunk({ a: 1 });
    await expect(decode(frame.subarray(0, 9))).rejects.toThrow('inside a frame');
    await expect(decode(frame.subarray(0, -1))).rejects.toThrow('inside a frame');
  });
});
