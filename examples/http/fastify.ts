// Fastify: GET /chat?prompt=… is answered with server-sent events, for the browser's EventSource.
import fastify from 'fastify';
import { errorResponse } from 'signalbox';
import { router } from './router.ts';

const app = fastify();

app.get<{ Querystring: { prompt?: string } }>('/chat', async (request, reply) => {
  // An EventSource that lost its connection: with 204 it stops, and the prompt does not run twice.
  if (request.headers['last-event-id'] !== undefined) return reply.code(204).send();
  const { prompt } = request.query;
  if (typeof prompt !== 'string') return reply.code(400).send();
  // The client may also leave before the answer starts.
  const leaving = new AbortController();
  reply.raw.on('close', () => leaving.abort());
  const stream = router.stream('chat', prompt, { signal: leaving.signal });
  try {
    await stream.started;
  } catch (error) {
    const { status, headers, body } = errorResponse(error);
    return reply.code(status).headers(headers).send(body);
  }
  reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  return reply.send(stream.toReadableStream('sse'));
});

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });

export const server = app.server;
