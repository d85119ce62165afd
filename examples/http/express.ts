// Express: POST /chat with { "prompt": "…" } is answered with server-sent events.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import { errorResponse } from 'signalbox';
import { router } from './router.ts';

const app = express();

app.post('/chat', express.json(), async (request, response) => {
  const { prompt } = request.body ?? {};
  if (typeof prompt !== 'string') {
    response.sendStatus(400);
    return;
  }
  // The client may also leave before the answer starts.
  const leaving = new AbortController();
  response.on('close', () => leaving.abort());
  const stream = router.stream('chat', prompt, { signal: leaving.signal });
  try {
    await stream.started;
  } catch (error) {
    const { status, headers, body } = errorResponse(error);
    response.status(status).set(headers).json(body);
    return;
  }
  response.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  // Rejects when the client leaves.
  await pipeline(Readable.fromWeb(stream.toReadableStream('sse')), response).catch(() => undefined);
});

export const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
