import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { nextValue } from '../../src/internal/read.ts';
import type { Answer } from '../../src/transport/answer.ts';
import {
  type Dispatcher,
  dispatchRequest,
  processDispatcher,
} from '../../src/transport/dispatch.ts';
import { ResponseCapture } from '../../src/transport/exchange.ts';
import { dispatchers } from '../support/transports.ts';

const quiet = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };

let server: Server | undefined;

afterEach(() => server?.close());

/** A server that writes as long as the socket accepts it; `sent` counts the bytes. */
async function startWriter(total: number) {
  const chunk = Buffer.alloc(65_536, 97);
  const state = { sent: 0, isClosed: false };
  const write = (socket: Socket): void => {
    while (state.sent < total) {
      state.sent += chunk.length;
      if (!socket.write(chunk)) {
        socket.once('drain', () => write(socket));
        return;
      }
    }
    socket.end();
  };
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('close', () => {
      state.isClosed = true;
    });
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n');
      write(socket);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { state, url: `http://127.0.0.1:${port}/` };
}

function ask(dispatcher: Dispatcher, url: string): Promise<Answer> {
  const { signal } = new AbortController();
  const capture = new ResponseCapture({ signal, watch: quiet, key: 0 });
  const answer = capture.wait();
  dispatchRequest(dispatcher, { url, method: 'GET', headers: {}, body: undefined }, capture);
  return answer;
}

/** Waits until the server has written nothing for a while. */
async function settled(state: { readonly sent: number }): Promise<number> {
  for (let last = -1; last !== state.sent; ) {
    last = state.sent;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return state.sent;
}

const own = processDispatcher();
const ways: Readonly<Record<string, Dispatcher | undefined>> = {
  "Node's": own,
  ...Object.fromEntries(
    Object.entries(dispatchers).map(([name, { dispatcher }]) => [name, dispatcher]),
  ),
};

const megabyte = 1_048_576;

describe.each(Object.entries(ways))('a body over the dispatcher of %s', (_, dispatcher) => {
  if (dispatcher === undefined) throw new Error('there is no dispatcher');

  it('waits in the socket until it is read, and arrives complete', async () => {
    const total = 24 * megabyte;
    const { state, url } = await startWriter(total);
    const { body } = await ask(dispatcher, url);
    // The rest is in the buffers of the operating system.
    expect(await settled(state)).toBeLessThan(total / 2);
    let bytes = 0;
    for (let reads = 0; ; reads++) {
      const next = await nextValue(() => body.read());
      if (next === undefined) break;
      bytes += next.length;
      // A slow reader, so that everything else can arrive in the meantime.
      if (reads % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(bytes).toBe(total);
  });

  it('closes a paused socket when it is cancelled', async () => {
    const { state, url } = await startWriter(64 * megabyte);
    const { body } = await ask(dispatcher, url);
    await settled(state);
    body.cancel();
    await expect.poll(() => state.isClosed).toBe(true);
  });
});
