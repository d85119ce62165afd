import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryOf } from '../../src/internal/vendor-data.ts';
import { ByteCollector, parseJson, TextCollector } from '../../src/transport/answer-bound.ts';
import { createFrameDecoder } from '../../src/transport/aws-event-stream.ts';
import { BodyReader, readStart } from '../../src/transport/read-reply.ts';
import { SegmentFinder } from '../../src/wires/gemini/citations.ts';
import { ThinkTags } from '../../src/wires/openai-chat/deltas.ts';
import { awsChunk } from '../support/aws-frames.ts';

const quiet = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };

function readerOf(chunks: readonly Uint8Array[]): BodyReader {
  const left = [...chunks];
  const body = { hasArrived: false, read: () => left.shift(), cancel: () => undefined };
  return new BodyReader(body, quiet, 1_000_000);
}

/** Cuts bytes at these positions, in any order. */
function cut(bytes: Uint8Array, positions: readonly number[]): readonly Uint8Array[] {
  const sorted = [...positions]
    .map((position) => position % (bytes.length + 1))
    .sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length));
}

const decoding = () => new (process.getBuiltinModule('node:string_decoder').StringDecoder)('utf8');

describe('the start of a body', () => {
  const undecided = /^\s*(d|da|dat|e|ev|eve|even|i|r|re|ret|retr)?\s*$/;

  it('is the text after the white space, however it is split', async () => {
    const word = fc.constantFrom(
      ' ',
      '\n',
      '\r',
      '\t',
      'd',
      'a',
      't',
      'dat',
      'even',
      ':',
      '{',
      'ü',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(word, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 4 }),
        async (words, at) => {
          const text = words.join('');
          const [first, ...rest] = cut(Buffer.from(text), at);
          const { text: start, isIndented } = await readStart(first, readerOf(rest), decoding());
          const trimmed = text.trimStart();
          expect(trimmed.startsWith(start)).toBe(true);
          const line = text
            .slice(0, text.length - trimmed.length)
            .split(/[\r\n]/)
            .at(-1);
          expect(isIndented).toBe(line !== '');
          // It shows what the body is.
          const kind = (of: string) => /^(:|data|event|id|retry|\{)/.exec(of)?.[0];
          if (!undecided.test(text)) expect(kind(start)).toBe(kind(trimmed));
        },
      ),
    );
  });

  it('is found after a byte order mark', async () => {
    const { text, isIndented } = await readStart(
      Buffer.from('\uFEFFdata: 1'),
      readerOf([]),
      decoding(),
    );
    expect({ text, isIndented }).toEqual({ text: 'data: 1', isIndented: false });
  });
});

describe('collectors', () => {
  it('return what was added, repeatedly', () => {
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ minLength: 5_000, maxLength: 9_000 }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(chunk, { maxLength: 8 }), { maxLength: 3 }), (rounds) => {
        const bytes = new ByteCollector();
        for (const chunks of rounds) {
          for (const each of chunks) bytes.add(each);
          expect(bytes.length).toBe(Buffer.concat(chunks).length);
          expect(bytes.take().equals(Buffer.concat(chunks))).toBe(true);
          expect(bytes.length).toBe(0);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('copy the chunk', () => {
    const bytes = new ByteCollector();
    const chunk = Buffer.from('abc');
    bytes.add(chunk);
    chunk.fill(0);
    expect(bytes.take().toString()).toBe('abc');
  });

  it('join thousands of chunks of text', () => {
    const text = new TextCollector();
    expect(text.isEmpty).toBe(true);
    for (let at = 0; at < 5_000; at++) text.add(String(at % 10));
    expect(text.isEmpty).toBe(false);
    expect(text.take()).toBe('0123456789'.repeat(500));
    expect(text.take()).toBe('');
  });
});

describe('frames', () => {
  it('are the same however they are split', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 40 }), { maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (texts, at) => {
          const decoder = createFrameDecoder();
          const decoded: unknown[] = [];
          for (const chunk of [
            ...cut(Buffer.concat(texts.map((text) => awsChunk({ text }))), at),
            undefined,
          ]) {
            decoder.take(chunk);
            for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
              decoded.push(event.type === 'event' ? event.data : event);
            }
          }
          expect(decoded).toEqual(texts.map((text) => ({ text })));
        },
      ),
    );
  });
});

describe('think tags', () => {
  it('keep white space before plain text, however it is split', () => {
    const word = fc.constantFrom(' ', '\n', '<', '<think', '>', 'a');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 10 }), (words) => {
        const whole = new ThinkTags();
        const chunked = new ThinkTags();
        const expected = [...whole.read(words.join('')), ...whole.rest()];
        const actual = [...words.flatMap((each) => chunked.read(each)), ...chunked.rest()];
        const textOf = (parts: typeof actual, type: string) =>
          parts
            .filter((part) => part.type === type)
            .map(({ text }) => text)
            .join('');
        for (const type of ['text', 'reasoning'])
          expect(textOf(actual, type)).toBe(textOf(expected, type));
        const text = words.join('');
        if (!text.trimStart().startsWith('<think>')) expect(textOf(actual, 'text')).toBe(text);
      }),
    );
  });
});

describe('segments of a text', () => {
  it('are found by their byte offset', () => {
    const texts = fc.array(fc.constantFrom('a', 'é', '漢', '😀', ' '), { maxLength: 600 });
    fc.assert(
      fc.property(texts, fc.nat(2_000), (characters, byte) => {
        const text = characters.join('');
        const expected = Buffer.from(text).subarray(0, byte).toString().length;
        expect(new SegmentFinder().characterAt(text, byte)).toBe(expected);
      }),
    );
  });

  it('are found at the expected position, or at their first occurrence', () => {
    const finder = new SegmentFinder();
    expect(finder.quoteAt('abcabc', 'abc', 3)).toBe(3);
    expect(finder.quoteAt('abcabc', 'abc', 2)).toBe(0);
    expect(finder.quoteAt('abcabc', 'x', 0)).toBe(-1);
  });
});

describe('JSON', () => {
  it('is parsed like JSON.parse', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJson(text, 1)).toEqual(JSON.parse(text));
      }),
    );
    expect(parseJson('{', 1)).toBeUndefined();
  });

  it('has an estimated size in memory', () => {
    expect(memoryOf('abc', 100)).toBe(3);
    expect(memoryOf([['a'], { b: 'cd' }], 1_000)).toBe(3 * 64 + 4 * 16 + 3);
    expect(memoryOf(new Uint8Array(9), 100)).toBe(9);
    const loop: unknown[] = [];
    loop.push(loop);
    expect(memoryOf(loop, 1_000)).toBeGreaterThan(1_000);
  });
});
