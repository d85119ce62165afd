// Hono: POST /chat with { "prompt": "…" } is answered with server-sent events.
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { errorResponse } from 'signalbox';
import { router } from './router.ts';

const app = new Hono();

app.post('/chat', async (context) => {
  const { prompt } = await context.req.json();
  if (typeof prompt !== 'string') return context.body(null, 400);
  const stream = router.stream('chat', prompt, { signal: context.req.raw.signal });
  try {
    await stream.started;
  } catch (error) {
    const { status, headers, body } = errorResponse(error);
    return Response.json(body, { status, headers });
  }
  return new Response(stream.toReadableStream('sse'), {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
  });
});

export const server = serve({
  fetch: app.fetch,
  port: Number(process.env.PORT ?? 3000),
  hostname: '127.0.0.1',
});
