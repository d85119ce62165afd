/**
 * Two servers to compare gateways with, in a process that `gateways.ts` starts. `kind=router` is a router in a bare server,
 * without the handler. `kind=bytes` passes the bytes on without reading them: no gateway on Node takes less.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { argumentsOf } from './measure.ts';

const { kind = 'router', port = '0', vendor = '' } = argumentsOf();

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const agent = new Agent({ keepAlive: true });

async function passOn(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(incoming);
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const sent = request(`${vendor}/chat/completions`, { agent, method: 'POST', headers });
  sent.on('response', (answer) => {
    const type = answer.headers['content-type'] ?? 'application/json';
    response.writeHead(answer.statusCode ?? 502, { 'content-type': type });
    answer.pipe(response);
  });
  sent.end(body);
}

async function createRoute(): Promise<typeof passOn> {
  const { createRouter } = await import('signalbox');
  const { openaiChat } = await import('signalbox/openai');
  const target = 'vendor/gpt-5.4-mini';
  const router = createRouter({
    providers: { vendor: openaiChat({ apiKey: 'test-key', baseURL: vendor }) },
    tiers: { unary: { targets: [target], transfer: 'unary' }, fast: [target] },
  });
  return async (incoming, response) => {
    const { model, messages, stream } = JSON.parse((await bodyOf(incoming)).toString());
    const choice = { index: 0, finish_reason: 'stop' };
    if (stream !== true) {
      const { text } = await router.complete(model, messages);
      response.end(JSON.stringify({ choices: [{ ...choice, message: { content: text } }] }));
      return;
    }
    for await (const part of router.stream(model, messages)) {
      if (part.type !== 'text-delta') continue;
      const chunk = { choices: [{ index: 0, delta: { content: part.delta } }] };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    }
    response.end(`data: ${JSON.stringify({ choices: [{ ...choice, delta: {} }] })}\n\n`);
  };
}

const answer = kind === 'bytes' ? passOn : await createRoute();
createServer((incoming, response) => {
  answer(incoming, response).catch(() => response.destroy());
}).listen(Number(port), '127.0.0.1');
