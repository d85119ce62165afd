import { describe, expect, it } from 'vitest';
import { readMessageRequest } from '../../src/wires/anthropic/client-request.ts';
import { RequestProblem } from '../../src/wires/common/serve.ts';
import { readChatRequest } from '../../src/wires/openai-chat/client-request.ts';
import { readResponseRequest } from '../../src/wires/openai-responses/client-request.ts';

/** How each wire sends an image by its URL. */
const readers = {
  chat: (url: string) =>
    readChatRequest({
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    }),
  responses: (url: string) =>
    readResponseRequest({
      model: 'm',
      input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }],
    }),
  messages: (url: string) =>
    readMessageRequest({
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }] }],
    }),
};

describe.each(Object.entries(readers))('an image of a client of %s', (_, read) => {
  it.each([
    ['https://example.com/a.png?b=c', 'https://example.com/a.png?b=c'],
    ['http://93.184.215.14/a.png', 'http://93.184.215.14/a.png'],
    ['https://[2606:2800:220:1::1]/', 'https://[2606:2800:220:1::1]/'],
    // One reader takes this for a host, another for a path.
    ['https://example.com\\@127.0.0.1/', 'https://example.com/@127.0.0.1/'],
    ['https://storage.googleapis.com/public/a.png', 'https://storage.googleapis.com/public/a.png'],
    ['data:image/png;base64,AAAA', 'data:image/png;base64,AAAA'],
  ])('may be at %s', (url, sent) => {
    expect(JSON.stringify(read(url).messages)).toContain(JSON.stringify(sent));
  });

  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0/',
    'http://10.1.2.3/',
    'http://172.31.0.1/',
    'http://192.168.1.1/',
    'http://100.100.100.200/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[fd00:ec2::254]/',
    'http://[fe80::1]/',
    'http://localhost:11434/',
    'http://LOCALHOST./',
    'http://a.localhost/',
    'http://metadata.google.internal/',
    'http://printer.local/',
    'http://redis/',
    'https://user:password@example.com/',
    'https://generativelanguage.googleapis.com/v1beta/files/abc',
    'http://',
    'ftp://example.com/',
    'file:///etc/passwd',
    'gs://bucket/object',
    'javascript:alert(1)',
  ])('must not be at %s', (url) => {
    expect(() => read(url)).toThrow(RequestProblem);
  });
});
