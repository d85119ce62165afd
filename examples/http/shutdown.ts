// SIGTERM: answers that have started are finished, new requests are rejected, and then the process ends.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorResponse } from 'signalbox';
import { close } from '../providers.ts';
import { router } from './router.ts';

/** Less than the platform waits before it kills the process: 30 seconds on Kubernetes. */
const drainMs = 25_000;

const server = createServer(async (_request, response) => {
  const stream = router.stream('chat', 'Count to ten.');
  try {
    await stream.started;
  } catch (error) {
    const { status, headers, body } = errorResponse(error);
    response.writeHead(status, { ...headers, 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  await pipeline(Readable.fromWeb(stream.toReadableStream('sse')), response).catch(() => undefined);
});

process.once('SIGTERM', async () => {
  // No new connections; requests on open ones fail with `closed`, which is 503.
  const closed = new Promise((resolve) => server.close(resolve));
  await router.close({ drainMs });
  await closed;
  await close();
});

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on ${JSON.stringify(server.address())}`);
});
