import {
  type ByteStream,
  createRouter,
  type ErrorSummary,
  type Part,
  type StreamPart,
} from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type Equal, expectType } from './expect-type.ts';

const router = createRouter({
  providers: { openai: fakeProvider() },
  tiers: { fast: ['openai/gpt-5.4-mini'] },
});
const stream = router.stream('fast', 'hello');

// Parts are discriminated by `type`.
for await (const part of stream) {
  switch (part.type) {
    case 'start':
      expectType<Equal<typeof part.model, string>>(true);
      break;
    case 'text-delta':
    case 'reasoning-delta':
      expectType<Equal<typeof part.delta, string>>(true);
      break;
    case 'tool-call-start':
      expectType<Equal<typeof part.name, string>>(true);
      break;
    case 'tool-call-delta':
      expectType<Equal<typeof part.id, string>>(true);
      break;
    case 'part-end':
      expectType<Equal<typeof part.part, Part>>(true);
      break;
    case 'invalid-tool-call':
      expectType<Equal<typeof part.id | typeof part.name, string>>(true);
      break;
    case 'restart':
    case 'continue':
      expectType<Equal<typeof part.error, ErrorSummary>>(true);
      break;
    case 'finish':
      expectType<Equal<typeof part.completion.tier, 'fast'>>(true);
      expectType<Equal<typeof part.completion.object, undefined>>(true);
      break;
    default:
      // Exhaustive: a new part type must be added here.
      part satisfies never;
  }
}

expectType<Equal<Extract<StreamPart, { type: 'start' }>['target'], string>>(true);
expectType<Equal<(typeof stream)['textStream'], AsyncIterable<string>>>(true);
expectType<Equal<ReturnType<(typeof stream)['toReadableStream']>, ByteStream>>(true);
const bytes: ReadableStream<Uint8Array> = stream.toReadableStream();
void bytes;
stream.toReadableStream('sse', {
  include: ['cost', 'trail', 'tags', 'opaque'],
  heartbeatMs: 1_000,
});
stream.toReadableStream('json', { include: [] });
// @ts-expect-error
stream.toReadableStream('xml');
// @ts-expect-error
stream.toReadableStream('sse', { include: ['costs'] });
// @ts-expect-error
stream.toReadableStream('sse', { include: 'cost' });
// @ts-expect-error
stream.toReadableStream('sse', { heartbeat: 1_000 });

const { target, model } = await stream.started;
expectType<Equal<typeof target | typeof model, string>>(true);
