import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientKey, HandlerServer } from '../support/served.ts';

let server: HandlerServer;

beforeAll(async () => {
  server = await HandlerServer.start();
});
afterAll(() => server.close());

const path = '/chat/completions';
const user = (content: unknown) => ({ model: 'chat', messages: [{ role: 'user', content }] });
const valid = JSON.stringify(user('Hello'));
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

const withArguments = (text: string) =>
  JSON.stringify({
    model: 'chat',
    messages: [
      { role: 'user', content: 'a' },
      {
        role: 'assistant',
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: text } }],
      },
    ],
  });

describe('a body', () => {
  it.each<
    [name: string, status: number, body: string | Uint8Array, headers?: Record<string, string>]
  >([
    ['no JSON', 400, '{"model":'],
    ['empty', 400, ''],
    ['a list', 400, '[]'],
    ['null', 400, 'null'],
    ['no UTF-8', 400, new Uint8Array([0x7b, 0xff, 0x7d])],
    ['deep', 400, `{"model":"chat","messages":${deep(5_000)}}`],
    ['very deep', 400, `{"model":"chat","messages":${deep(1_000_000)}}`],
    ['deep in the arguments of a call', 200, withArguments(deep(500_000))],
    ['deep behind strings', 400, `{"a":"\\\\\\"[","b":${deep(200_000)}}`],
    ['too large', 413, `{"x":"${'x'.repeat(5_000_000)}"}`],
    ['compressed', 415, valid, { 'content-encoding': 'gzip' }],
    ['a form', 415, valid, { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text', 415, valid, { 'content-type': 'text/plain' }],
    ['another charset', 415, valid, { 'content-type': 'application/json; charset=latin1' }],
  ])('that is %s is a %i', async (_, status, body, headers) => {
    server.serve();
    const answer = await server.post(path, body, headers);
    expect(answer.status).toBe(status);
    if (status === 200) return;
    const { error } = (await answer.json()) as { error: { message: string; type: string } };
    expect(error.type).toBe('invalid_request_error');
    expect(error.message).not.toMatch(/xxx|\bat\b .*\.ts/);
    expect(server.simulators.compatible.log).toEqual([]);
  });

  it.each([
    ['with a byte order mark', `\uFEFF${valid}`, {}],
    ['with a charset', valid, { 'content-type': 'application/json; charset=UTF-8' }],
    ['with a type of JSON', valid, { 'content-type': 'application/vnd.api+json' }],
    ['with names of prototypes', `{"__proto__":{"n":2},"constructor":1,${valid.slice(1)}`, {}],
  ])('%s is read', async (_, body, headers) => {
    server.serve();
    expect((await server.post(path, body, headers)).status).toBe(200);
    expect(({} as { n?: number }).n).toBeUndefined();
  });

  it('is limited while it is read, whatever it says about its length', async () => {
    const { handler } = server.serve({ maxBodyBytes: 100 });
    const chunk = new TextEncoder().encode('x'.repeat(60));
    let pulled = 0;
    const body = new ReadableStream({
      pull: (controller) => {
        pulled += 1;
        controller.enqueue(chunk);
      },
    });
    const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
    const answer = await handler(new Request(`${server.url}${path}`, init));
    expect(answer.status).toBe(413);
    expect(pulled).toBeLessThan(5);
  });

  it('must arrive in time', async () => {
    server.serve({ bodyTimeoutMs: 50 });
    const socket = connect(server.port, '127.0.0.1');
    const text = await new Promise<string>((resolve) => {
      let received = '';
      socket.on('data', (data) => {
        received += String(data);
      });
      socket.on('close', () => resolve(received));
      socket.write(
        `POST /v1${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n` +
          'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"model":',
      );
    });
    expect(text).toMatch(/^HTTP\/1.1 408 /);
    expect(text).toContain('invalid_request_error');
  });

  it('that is cut off harms nobody', async () => {
    server.serve();
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST /v1${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n` +
        'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"model":',
      () => socket.destroy(),
    );
    await new Promise((resolve) => socket.on('close', resolve));
    expect((await server.post(path, valid)).status).toBe(200);
  });
});

describe('a field', () => {
  it.each<[body: object, param: string]>([
    [{ messages: [] }, 'messages'],
    [{ ...user('a'), model: 1 }, 'model'],
    [{ model: 'chat' }, 'messages'],
    [{ model: 'chat', messages: 'a' }, 'messages'],
    [{ model: 'chat', messages: [] }, 'messages'],
    [{ model: 'chat', messages: [null] }, 'messages[0]'],
    [{ model: 'chat', messages: [{ role: 'king' }] }, 'messages[0].role'],
    [{ model: 'chat', messages: [{ role: 'function', content: 'a' }] }, 'messages[0].role'],
    [user(1), 'messages[0].content'],
    [user([{ type: 'video' }]), 'messages[0].content[0].type'],
    [user([{ type: 'constructor' }]), 'messages[0].content[0].type'],
    [user([{ type: 'text', text: {} }]), 'messages[0].content[0].text'],
    [user([{ type: 'image_url', image_url: 'x' }]), 'messages[0].content[0].image_url'],
    [
      user([{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }]),
      'messages[0].content[0].image_url.url',
    ],
    [user([{ type: 'file', file: { file_id: 'f' } }]), 'messages[0].content[0].file.file_id'],
    [
      user([{ type: 'input_audio', input_audio: { data: 'x', format: 'ogg' } }]),
      'messages[0].content[0].input_audio.format',
    ],
    [{ ...user('a'), temperature: '1' }, 'temperature'],
    [{ ...user('a'), max_tokens: -1 }, 'maxOutputTokens'],
    [{ ...user('a'), n: 2 }, 'n'],
    [{ ...user('a'), stream: 'yes' }, 'stream'],
    [{ ...user('a'), stop: [1] }, 'stop[0]'],
    [{ ...user('a'), functions: [] }, 'functions'],
    [{ ...user('a'), tools: {} }, 'tools'],
    [{ ...user('a'), tools: [{ type: 'custom' }] }, 'tools[0].type'],
    [{ ...user('a'), tools: [{ type: 'function', function: { name: 'a b' } }] }, 'tools'],
    [{ ...user('a'), tool_choice: 'sometimes' }, 'tool_choice'],
    [{ ...user('a'), tool_choice: 'required' }, 'toolChoice'],
    [{ ...user('a'), response_format: { type: 'xml' } }, 'response_format.type'],
    [{ ...user('a'), response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
    [
      {
        ...user('a'),
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'a', schema: { type: 'nonsense' } },
        },
      },
      'schema',
    ],
    [{ ...user('a'), reasoning_effort: 'huge' }, 'reasoning_effort'],
    [
      {
        model: 'chat',
        messages: [
          { role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: {} } }] },
        ],
      },
      'messages[0].tool_calls[0].function.arguments',
    ],
    [{ model: 'chat', messages: [{ role: 'tool', content: 'a' }] }, 'messages[0].tool_call_id'],
    [{ model: 'chat', messages: [{ role: 'tool', tool_call_id: 'x', content: 'a' }] }, 'messages'],
  ])('of the wrong kind is a 400 that names it: %j', async (body, param) => {
    server.serve();
    const answer = await server.post(path, JSON.stringify({ model: 'chat', ...body }));
    expect({ status: answer.status, ...((await answer.json()) as object) }).toMatchObject({
      status: 400,
      error: { type: 'invalid_request_error', param },
    });
  });

  it('that is null or unknown is ignored', async () => {
    server.serve();
    const names =
      'temperature top_p stop n stream tools tool_choice response_format seed user max_tokens reasoning_effort functions';
    const nulls = Object.fromEntries(names.split(' ').map((name) => [name, null]));
    const body = { ...user('a'), ...nulls, store: true, logit_bias: {}, made_up: [1] };
    expect((await server.post(path, JSON.stringify(body))).status).toBe(200);
  });
});

describe('a path', () => {
  it.each([
    ['GET', '/chat/completions', 405],
    ['PUT', '/chat/completions', 405],
    ['OPTIONS', '/chat/completions', 405],
    ['POST', '/models', 405],
    ['POST', '/completions', 404],
    ['GET', '/', 404],
    ['GET', '/../models', 404],
    ['GET', '/models/%E0%A4%A', 404],
  ])('%s %s is a %i', async (method, at, status) => {
    server.serve();
    const headers = { authorization: `Bearer ${clientKey}` };
    const answer = await fetch(`${server.url}${at}`, { method, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers.has('allow')).toBe(status === 405);
    expect(answer.headers.has('access-control-allow-origin')).toBe(false);
  });

  it('may have another base', async () => {
    const { handler } = server.serve({ basePath: '' });
    const headers = { authorization: `Bearer ${clientKey}` };
    expect((await handler(new Request('http://localhost/models', { headers }))).status).toBe(200);
    expect((await handler(new Request('http://localhost/v1/models', { headers }))).status).toBe(
      404,
    );
  });
});
