import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventChunks, jsonBody, type WireName } from './answers.ts';

/**
 * The simulated vendors of the benchmarks, in a separate process so that their work is not counted. The first part of the
 * path sets the streams: `/50d5` sends 50 deltas, one every 5 ms, and `/50dall` sends 50 at once. Responses are
 * built once and cached.
 */
const wires: readonly (readonly [RegExp, WireName])[] = [
  [/\/chat\/completions$/, 'chat'],
  [/\/responses$/, 'responses'],
  [/\/messages$/, 'anthropic'],
  [/:(?:streamG|g)enerateContent/, 'gemini'],
];

type StreamState = { readonly chunks: readonly Buffer[]; at: number };
type Streams = Map<ServerResponse, StreamState>;

/** One timer for all streams of the same pace, so that thousands of streams are cheap. */
const paced = new Map<number, Streams>();

function streamsOf(paceMs: number): Streams {
  const known = paced.get(paceMs);
  if (known !== undefined) return known;
  const streams: Streams = new Map();
  paced.set(paceMs, streams);
  function writeAll(): void {
    for (const [response, stream] of streams) {
      response.write(stream.chunks[stream.at++]);
      if (stream.at < stream.chunks.length) continue;
      response.end();
      streams.delete(response);
    }
    if (paceMs === 0) setImmediate(writeAll);
  }
  if (paceMs === 0) setImmediate(writeAll);
  else setInterval(writeAll, paceMs);
  return streams;
}

const bodies = new Map<WireName, Buffer>();
const chunksByStream = new Map<string, readonly Buffer[]>();

const shared = {
  'openai-organization': 'org',
  'openai-processing-ms': '120',
  'openai-version': '2020-10-01',
  'x-ratelimit-limit-requests': '10000',
  'x-ratelimit-remaining-requests': '9999',
  'x-request-id': 'req_0123456789abcdef',
  'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
};

function answer(request: IncomingMessage, response: ServerResponse, body: string): void {
  const url = request.url ?? '';
  const path = url.split('?')[0] ?? '';
  const wire = wires.find(([pattern]) => pattern.test(path))?.[1];
  if (wire === undefined) {
    response.writeHead(404).end();
    return;
  }
  const isStream = url.includes(':streamGenerateContent') || body.includes('"stream":true');
  if (!isStream) {
    const answerBody = bodies.get(wire) ?? jsonBody(wire);
    bodies.set(wire, answerBody);
    response.writeHead(200, {
      ...shared,
      'content-type': 'application/json',
      'content-length': answerBody.length,
    });
    response.end(answerBody);
    return;
  }
  const [, deltas = '1', paceMs = '1'] = /^\/(\d+)d(\d+|all)/.exec(path) ?? [];
  const key = `${wire} ${deltas}`;
  const chunks = chunksByStream.get(key) ?? eventChunks(wire, Number(deltas));
  chunksByStream.set(key, chunks);
  response.writeHead(200, { ...shared, 'content-type': 'text/event-stream' });
  response.socket?.setNoDelay(true);
  if (paceMs === 'all') {
    for (const chunk of chunks) response.write(chunk);
    response.end();
    return;
  }
  streamsOf(Number(paceMs)).set(response, { chunks, at: 0 });
}

let connections = 0;
const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()));
  // Stop writing to closed responses.
  response.on('close', () => {
    for (const streams of paced.values()) streams.delete(response);
  });
});
server.on('connection', () => {
  connections += 1;
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 8192 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => process.send?.({ connections }));
process.on('disconnect', () => process.exit());
