// Streams an answer to the browser. The handler takes a web Request and returns a web Response, as in Hono
// or Next.js. Here Node's HTTP server calls it.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createRouter } from 'signalbox';
import { close, providers, simulators } from './providers.ts';

const router = createRouter({
  providers,
  tiers: { fast: ['google/gemini-3-flash-preview', 'openai/gpt-5.4-mini'] },
});

// Without a key, the simulator sends one word every 40 ms.
simulators.google.answer({
  chunks: ['One, ', 'two, ', 'three, ', 'four, ', 'five.'],
  chunkDelayMs: 40,
});

function answer(request: Request): Response {
  const prompt = new URL(request.url).searchParams.get('prompt') ?? 'Say hello.';
  // When the browser disconnects, the body is cancelled, which closes the vendor's socket.
  const stream = router.stream('fast', prompt, { signal: request.signal });
  return new Response(stream.toReadableStream(), { headers: { 'content-type': 'text/plain' } });
}

const server = createServer(async ({ url = '/' }, outgoing) => {
  const response = answer(new Request(new URL(url, 'http://localhost')));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  await pipeline(Readable.from(response.body ?? []), outgoing).catch(() => outgoing.destroy());
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

const address = server.address();
const port = typeof address === 'object' ? address?.port : undefined;
const response = await fetch(`http://127.0.0.1:${port}/?prompt=Count+to+five`);
console.log(response.status, response.headers.get('content-type'));
for await (const bytes of response.body ?? []) console.log('chunk:', Buffer.from(bytes).toString());

server.close();
await router.close();
await close();
