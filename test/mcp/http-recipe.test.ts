import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SimulatedProviders } from '../../src/testing/simulate-providers.ts';
import { connectBy, eras } from '../support/mcp.ts';

let vendors: SimulatedProviders;
let port: number;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  for (const key of ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY']) {
    vi.stubEnv(key, '');
  }
  vi.stubEnv('PORT', '0');
  vi.stubEnv('MCP_TOKEN', 'right');
  const { close, simulators } = await import('../../examples/providers.ts');
  const { router } = await import('../../examples/http/router.ts');
  const { server } = await import('../../examples/mcp-over-http.ts');
  if (server.address() === null) await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  vendors = simulators;
  closing.push(
    () => server.close(),
    () => router.close(),
    close,
  );
});
beforeEach(() => vendors.reset());
afterAll(async () => {
  for (const close of closing) await close();
});

function connectTo(token: string, mode: (typeof eras)[number][1]) {
  const url = new URL(`http://127.0.0.1:${port}/`);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  return connectBy(new StreamableHTTPClientTransport(url, { requestInit }), mode);
}

/** The status of a request with these headers; `fetch` would not set `host`. */
async function statusWith(headers: Record<string, string>): Promise<number | undefined> {
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  const type = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const sent = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    headers: { ...type, ...headers },
  });
  sent.end(body);
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

describe.each(eras)('MCP over HTTP, a client of the protocol of %s', (_, mode) => {
  it('calls the tier with the token, and not without', async () => {
    vendors.openai.answer('hello');
    const client = await connectTo('right', mode);
    const { tools } = await client.listTools();
    expect(tools[0]?.inputSchema.properties).toMatchObject({ tier: { enum: ['chat'] } });
    const input = { tier: 'chat', prompt: 'hi' };
    const { content } = await client.callTool({ name: 'complete', arguments: input });
    expect(content).toEqual([{ type: 'text', text: 'hello' }]);
    await client.close();
    await expect(connectTo('wrong', mode)).rejects.toThrow();
  });

  it("closes the vendor's socket when it leaves", async () => {
    vendors.openai.fault({ type: 'silence' });
    const client = await connectTo('right', mode);
    const input = { tier: 'chat', prompt: 'hi' };
    const left = expect(client.callTool({ name: 'complete', arguments: input })).rejects.toThrow();
    await expect.poll(() => vendors.openai.openRequests).toBe(1);
    await client.close();
    await left;
    await expect.poll(() => vendors.openai.log.at(-1)?.aborted).toBe(true);
  });
});

describe('the access rules', () => {
  const authorization = 'Bearer right';
  it.each([
    [200, { authorization }],
    [200, { authorization, origin: 'http://localhost:3000' }],
    [401, {}],
    [401, { authorization: 'Bearer wrong' }],
    [403, { authorization, host: 'evil.example' }],
    [403, { authorization, origin: 'https://evil.example' }],
  ])('answer %d to %j', async (status, headers) => {
    expect(await statusWith(headers)).toBe(status);
  });
});
