import { expect, it } from 'vitest';
import { objectOf } from '../../src/wires/common/read.ts';
import { servedChat } from '../../src/wires/openai-chat/serve.ts';

function writerOf(stream: boolean) {
  const request = {
    ...{ wire: undefined, method: 'POST', path: '/chat/completions', headers: {} },
    ...{ body: {}, model: 'm', stream, key: undefined },
  };
  return servedChat.writer({ request, serial: 's', at: 0 }, { model: 'm' });
}

const usage = {
  inputTokens: 1,
  outputTokens: 1,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};

it.each([false, true])(
  'arguments that a vendor did not send are written (stream: %s)',
  (stream) => {
    const writer = writerOf(stream);
    const frames = [
      ...writer.start(),
      ...writer.write({ type: 'tool-call', key: 'a', id: 'a', name: 'f' }),
      ...writer.write({ type: 'tool-call-end', key: 'a', input: {} }),
      ...writer.finish({ finishReason: 'tool_calls', usage }),
    ];
    const text = stream ? JSON.stringify(frames) : JSON.stringify(objectOf(writer.body()));
    expect(text).toContain('"arguments":"{}"');
  },
);
