import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryOf } from '../../src/internal/memory-of.ts';
import { BodyReader } from '../../src/transport/body/body-reader.ts';
import { readStart } from '../../src/transport/body/body-start.ts';
import { ByteCollector, TextCollector } from '../../src/transport/body/collectors.ts';
import { parseJson } from '../../src/transport/body/parse-json.ts';
import { createFrameDecoder } from '../../src/transport/sse/aws-event-stream.ts';
import { SegmentFinder } from '../../src/wires/gemini/segment-finder.ts';
import { createThinkTags } from '../../src/wires/openai-chat/think-tags.ts';
import { awsChunk } from '../support/aws-frames.ts';

/** What is read in linear time means the same as what it replaced, which was shorter. */

const quiet = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };

function piecesOf(pieces: readonly Uint8Array[]): BodyReader {
  const left = [...pieces];
  const body = { hasArrived: false, read: () => left.shift(), cancel: () => undefined };
  return new BodyReader(body, quiet, 1_000_000);
}

/** Cuts bytes at the places, whatever their order. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const sorted = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length));
}

const decoding = () => new (process.getBuiltinModule('node:string_decoder').StringDecoder)('utf8');

describe('the start of a body', () => {
  const undecided = /^\s*(d|da|dat|e|ev|eve|even|i|r|re|ret|retr)?\s*$/;

  it('is what stands behind the white space, however it is cut', async () => {
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
          const { text: start, isIndented } = await readStart(first, piecesOf(rest), decoding());
          const trimmed = text.trimStart();
          expect(trimmed.startsWith(start)).toBe(true);
          const line = text
            .slice(0, text.length - trimmed.length)
            .split(/[\r\n]/)
            .at(-1);
          expect(isIndented).toBe(line !== '');
          // It is enough to tell what the body is: nothing more is waited for than before.
          const kind = (of: string) => /^(:|data|event|id|retry|\{)/.exec(of)?.[0];
          if (!undecided.test(text)) expect(kind(start)).toBe(kind(trimmed));
        },
      ),
    );
  });

  it('is not hidden by a byte order mark', async () => {
    const { text, isIndented } = await readStart(
      Buffer.from('\uFEFFdata: 1'),
      piecesOf([]),
      decoding(),
    );
    expect({ text, isIndented }).toEqual({ text: 'data: 1', isIndented: false });
  });
});

describe('collectors', () => {
  it('give back what they were given, again and again', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ minLength: 5_000, maxLength: 9_000 }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 8 }), { maxLength: 3 }), (rounds) => {
        const bytes = new ByteCollector();
        for (const pieces of rounds) {
          for (const each of pieces) bytes.add(each);
          expect(bytes.length).toBe(Buffer.concat(pieces).length);
          expect(bytes.take().equals(Buffer.concat(pieces))).toBe(true);
          expect(bytes.length).toBe(0);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('copies, so that the piece is free', () => {
    const bytes = new ByteCollector();
    const piece = Buffer.from('abc');
    bytes.add(piece);
    piece.fill(0);
    expect(bytes.take().toString()).toBe('abc');
  });

  it('join text of thousands of pieces', () => {
    const text = new TextCollector();
    expect(text.isEmpty).toBe(true);
    for (let at = 0; at < 5_000; at++) text.add(String(at % 10));
    expect(text.isEmpty).toBe(false);
    expect(text.take()).toBe('0123456789'.repeat(500));
    expect(text.take()).toBe('');
  });
});

describe('frames', () => {
  it('are the same however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 40 }), { maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (texts, at) => {
          const decoder = createFrameDecoder();
          const told: unknown[] = [];
          for (const piece of [
            ...cut(Buffer.concat(texts.map((text) => awsChunk({ text }))), at),
            undefined,
          ]) {
            decoder.take(piece);
            for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
              told.push(event.type === 'event' ? event.data : event);
            }
          }
          expect(told).toEqual(texts.map((text) => ({ text })));
        },
      ),
    );
  });
});

describe('think tags', () => {
  it('leave white space before plain text as it is, however it is cut', () => {
    const word = fc.constantFrom(' ', '\n', '<', '<think', '>', 'a');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 10 }), (words) => {
        const whole = createThinkTags();
        const inPieces = createThinkTags();
        const expected = [...whole.read(words.join('')), ...whole.rest()];
        const told = [...words.flatMap((each) => inPieces.read(each)), ...inPieces.rest()];
        const textOf = (parts: typeof told, type: string) =>
          parts
            .filter((part) => part.type === type)
            .map(({ text }) => text)
            .join('');
        for (const type of ['text', 'reasoning'])
          expect(textOf(told, type)).toBe(textOf(expected, type));
        const said = words.join('');
        if (!said.trimStart().startsWith('<think>')) expect(textOf(told, 'text')).toBe(said);
      }),
    );
  });
});

describe('segments of a text', () => {
  it('lie where the bytes say', () => {
    const texts = fc.array(fc.constantFrom('a', 'é', '漢', '😀', ' '), { maxLength: 600 });
    fc.assert(
      fc.property(texts, fc.nat(2_000), (characters, byte) => {
        const text = characters.join('');
        const expected = Buffer.from(text).subarray(0, byte).toString().length;
        expect(new SegmentFinder().characterAt(text, byte)).toBe(expected);
      }),
    );
  });

  it('are found where they should be, or else where they are first', () => {
    const finder = new SegmentFinder();
    expect(finder.quoteAt('abcabc', 'abc', 3)).toBe(3);
    expect(finder.quoteAt('abcabc', 'abc', 2)).toBe(0);
    expect(finder.quoteAt('abcabc', 'x', 0)).toBe(-1);
  });
});

describe('JSON', () => {
  it('is parsed as ever', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJson(text, 1)).toEqual(JSON.parse(text));
      }),
    );
    expect(parseJson('{', 1)).toBeUndefined();
  });

  it('takes about so much memory', () => {
    expect(memoryOf('abc', 100)).toBe(3);
    expect(memoryOf([['a'], { b: 'cd' }], 1_000)).toBe(3 * 64 + 4 * 16 + 3);
    expect(memoryOf(new Uint8Array(9), 100)).toBe(9);
    const loop: unknown[] = [];
    loop.push(loop);
    expect(memoryOf(loop, 1_000)).toBeGreaterThan(1_000);
  });
});
