import { connect } from 'node:net';
import { openai } from '../../src/openai.ts';
import { createDice, type Dice } from '../simulation/dice.ts';
import { clientKey, HandlerServer, sha256 } from '../support/served.ts';
import { type ValidRequest, validRequests } from './valid-bodies.ts';

/** Of a key that may call one tier only. */
const narrowKey = 'narrow-client-key';
const canary = 'canary-of-a-header';
const deadlineMs = 5_000;

/** What goes over a socket, and what is known about it. */
type Malformed = {
  readonly kind: string;
  /** Parts that are sent one after the other, with a pause between them. */
  readonly parts: readonly Buffer[];
  readonly pauseMs?: number;
  /** The client leaves after the last part, without reading. */
  readonly leaves?: boolean;
  /** Whether it may be answered: a changed field may be valid still. */
  readonly mayPass: boolean;
  readonly envelope: 'openai' | 'anthropic' | 'unknown';
};

type Head = {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly string[];
  readonly version?: string;
};

function envelopeOf(path: string): Malformed['envelope'] {
  return path.startsWith('/messages') ? 'anthropic' : 'openai';
}

/** A request whose headers are as given. Without `content-length` among them, that of the body is added. */
function bytesOf(valid: ValidRequest, body: string | Buffer, head: Head = {}): Buffer {
  const { method = 'POST', target = `/v1${valid.path}`, headers = [], version = 'HTTP/1.1' } = head;
  const has = (name: string) => headers.some((each) => each.toLowerCase().startsWith(`${name}:`));
  const lines = [
    `${method} ${target} ${version}`,
    'host: router.internal',
    'connection: close',
    `x-forwarded-for: ${canary}`,
    `openai-organization: ${canary}`,
    ...(has('content-type') ? [] : ['content-type: application/json']),
    ...(has('authorization') ? [] : [`authorization: Bearer ${clientKey}`]),
    ...Object.entries(valid.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(has('content-length') || has('transfer-encoding')
      ? []
      : [`content-length: ${Buffer.byteLength(body)}`]),
    ...headers,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
}

type Path = readonly (string | number)[];

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const children = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [
    ...(path.length > 0 ? [path] : []),
    ...children.flatMap(([key, each]) => pathsIn(each, [...path, key])),
  ];
}

const nested = (levels: number): unknown => (levels === 0 ? 'end' : { a: [nested(levels - 1)] });

/** Values of the wrong type, and odd ones of any type. */
const oddValues: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, Number.MAX_SAFE_INTEGER + 2],
  ...[
    '',
    ' ',
    'x',
    '\ud800',
    'a\udc00b',
    'a\u0000b',
    '\u202e',
    '__proto__',
    'constructor',
    '../../etc/passwd',
  ],
  ...[
    'x'.repeat(20_000),
    'file:///etc/passwd',
    'http://169.254.169.254/latest',
    'data:image/png;base64,%%%',
  ],
  ...[[], {}, [null], [[]], [{}], { toString: 1 }, { length: 1 }, nested(20), nested(60)],
  JSON.parse('{"__proto__":{"polluted":true}}'),
  Array.from({ length: 3_000 }, () => 0),
];

/** Changes one place of a value. */
function changed(value: unknown, [key, ...rest]: Path, dice: Dice): unknown {
  if (key === undefined) return dice.oneOf(oddValues);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const copy = [...value];
    const at = Number(key);
    if (rest.length === 0 && dice.chance(0.3)) copy.splice(at, dice.between(0, 1), ...copy);
    else copy[at] = changed(copy[at], rest, dice);
    return copy;
  }
  const entries = Object.entries(value).flatMap(([name, each]): [string, unknown][] => {
    if (name !== key) return [[name, each]];
    if (rest.length > 0 || dice.chance(0.7)) return [[name, changed(each, rest, dice)]];
    if (dice.chance(0.5)) return [];
    return [
      [
        dice.oneOf(['__proto__', 'constructor', 'toString', `${name}\u0000`, name.toUpperCase()]),
        each,
      ],
    ];
  });
  return Object.fromEntries(entries);
}

type Maker = (valid: ValidRequest, dice: Dice) => Omit<Malformed, 'kind'>;

const refused = (parts: readonly Buffer[], valid: ValidRequest) => ({
  ...{ parts, mayPass: false, envelope: envelopeOf(valid.path) },
});

const jsonOf = ({ body }: ValidRequest): string => JSON.stringify(body);

function wrongField(valid: ValidRequest, dice: Dice) {
  let { body } = valid as { readonly body: unknown };
  for (let count = dice.between(1, 3); count > 0; count -= 1) {
    body = changed(body, dice.oneOf(pathsIn(body)), dice);
  }
  const parts = [bytesOf(valid, JSON.stringify(body) ?? 'null')];
  return { ...refused(parts, valid), mayPass: true };
}

function badJson(valid: ValidRequest, dice: Dice) {
  const text = jsonOf(valid);
  const at = dice.between(1, text.length - 2);
  const body = dice.oneOf([
    ...[
      text.slice(0, at),
      `${text}x`,
      `${text}${text}`,
      '',
      'null',
      '[]',
      '"x"',
      '1',
      'NaN',
      "{'a':1}",
    ],
    ...[`${text.slice(0, at)}\u0000${text.slice(at)}`, text.replaceAll('"', "'"), `/* */${text}`],
  ]);
  return refused([bytesOf(valid, body)], valid);
}

function badBytes(valid: ValidRequest, dice: Dice) {
  const text = Buffer.from(jsonOf(valid));
  const at = dice.between(1, text.length - 2);
  const odd = dice.oneOf([
    [0xff],
    [0xc0, 0xaf],
    [0xed, 0xa0, 0x80],
    [0x80],
    [0xf8, 0x88, 0x80, 0x80, 0x80],
  ]);
  const body = Buffer.concat([text.subarray(0, at), Buffer.from(odd), text.subarray(at)]);
  return refused(
    [bytesOf(valid, dice.chance(0.2) ? Buffer.from(text.toString(), 'utf16le') : body)],
    valid,
  );
}

function deep(valid: ValidRequest, dice: Dice) {
  const levels = dice.oneOf([101, 1_000, 100_000]);
  const [open, close] = dice.oneOf([
    ['[', ']'],
    ['{"a":', '}'],
    ['[{"messages":', '}]'],
  ] as const);
  const value = `${open.repeat(levels)}1${dice.chance(0.5) ? close.repeat(levels) : ''}`;
  const key = dice.oneOf([...Object.keys(valid.body), 'unknown']);
  return refused(
    [bytesOf(valid, `${jsonOf(valid).slice(0, -1)},${JSON.stringify(key)}:${value}}`)],
    valid,
  );
}

function huge(valid: ValidRequest, dice: Dice) {
  const size = dice.oneOf([300_000, 1_000_000]);
  const body = `${jsonOf(valid).slice(0, -1)},"x":"${'x'.repeat(size)}"}`;
  const isChunked = dice.chance(0.5);
  const chunk = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const bytes = isChunked
    ? bytesOf(valid, chunk, { headers: ['transfer-encoding: chunked'] })
    : bytesOf(valid, body);
  return refused([bytes], valid);
}

function cut(valid: ValidRequest, dice: Dice) {
  const bytes = bytesOf(valid, jsonOf(valid));
  const parts = [bytes.subarray(0, dice.between(1, bytes.length - 2))];
  return { ...refused(parts, valid), leaves: true };
}

function slow(valid: ValidRequest, dice: Dice) {
  const bytes = bytesOf(valid, jsonOf(valid));
  const end = bytes.length - dice.between(5, 20);
  const tail = [...bytes.subarray(end, -1)].map((byte) => Buffer.from([byte]));
  return { ...refused([bytes.subarray(0, end), ...tail], valid), pauseMs: 60 };
}

/** What a proxy in front could read in another way. */
function smuggled(valid: ValidRequest, dice: Dice) {
  const body = jsonOf(valid);
  const length = Buffer.byteLength(body);
  const inner = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`;
  const headers = dice.oneOf([
    [`content-length: ${length}`, 'transfer-encoding: chunked'],
    ['transfer-encoding: chunked', `content-length: ${length}`],
    [`content-length: ${length}`, `content-length: ${length + 1}`],
    [`content-length: ${length}`, 'content-length: 0'],
    [`content-length: ${length}, ${length}`],
    [`content-length: +${length}`],
    [`content-length: -1`],
    ['content-length: 0x10'],
    ['content-length: 99999999999999999999'],
    ['transfer-encoding: chunked, identity'],
    ['transfer-encoding: xchunked'],
    ['transfer-encoding : chunked'],
    [' transfer-encoding: chunked'],
    ['transfer-encoding:\u000bchunked'],
    [`x-folded: a\r\n b: ${canary}`],
    ['x-control: a\u0000b'],
    ['x-control: a\rb'],
    ['x-bare: a\nx-injected: b'],
    ['x name: a'],
    ['no colon'],
    [`x-large: ${'x'.repeat(20_000)}`],
    ['host: evil.example', 'content-encoding: gzip'],
    ['content-type: text/plain'],
    ['content-type: application/json; charset=utf-7'],
    ['expect: something'],
  ]);
  const bytes = bytesOf(valid, dice.chance(0.3) ? `${body}${inner}` : body, { headers });
  // Node reads a line that ends with a bare LF, and its own parser judges the rest.
  const isHarmless = headers.some((each) => /^x-bare|^x-folded|, \d+$/.test(each));
  return { ...refused([bytes], valid), mayPass: isHarmless };
}

function wrongTarget(valid: ValidRequest, dice: Dice): Omit<Malformed, 'kind'> {
  const whole = `/v1${valid.path}`;
  const head = dice.oneOf<Head>([
    ...['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'BREW', 'post'].map((method) => ({
      method,
    })),
    ...[
      '/',
      '*',
      '/v1',
      '/v1/',
      '/v2/chat/completions',
      whole.toUpperCase(),
      `${whole}/`,
      `/${whole}`,
    ].map((target) => ({ target })),
    ...[
      `${whole}%2e`,
      `${whole}%00`,
      `${whole}%`,
      `/v1/../v1/%zz`,
      `/v1/./${valid.path}`,
      '/v1/models/%ff%',
      '/v1/models/__proto__',
    ].map((target) => ({ target })),
    ...[
      `http://evil.example${whole}x`,
      'evil.example:443',
      `${whole} x`,
      `/${'x'.repeat(9_000)}`,
      `${whole}\u0001`,
    ].map((target) => ({ target })),
    { version: 'HTTP/9.9' },
    { version: 'XTTP/1.1' },
    { version: '' },
  ]);
  return { ...refused([bytesOf(valid, jsonOf(valid), head)], valid), envelope: 'unknown' };
}

function noAccess(valid: ValidRequest, dice: Dice) {
  const authorization = dice.oneOf([
    ...[
      '',
      'Bearer',
      'Bearer ',
      `Basic ${clientKey}`,
      `Bearer ${clientKey}x`,
      `Bearer ${clientKey.slice(1)}`,
    ],
    ...[
      `Bearer ${clientKey.toUpperCase()}`,
      `Bearer ${sha256(clientKey)}`,
      'Bearer undefined',
      `Bearer ${'x'.repeat(4_000)}`,
    ],
    // A key that exists, and may not call this tier.
    ...[`Bearer ${narrowKey}`, `Bearer ${narrowKey}`, `Bearer ${narrowKey}`],
  ]);
  return refused(
    [bytesOf(valid, jsonOf(valid), { headers: [`authorization: ${authorization}`] })],
    valid,
  );
}

const makers: readonly (readonly [kind: string, share: number, make: Maker])[] = [
  ['wrong field', 45, wrongField],
  ['bad JSON', 12, badJson],
  ['bad bytes', 5, badBytes],
  ['deep', 6, deep],
  ['huge', 2, huge],
  ['cut', 6, cut],
  ['slow', 1, slow],
  ['smuggled', 10, smuggled],
  ['wrong target', 8, wrongTarget],
  ['no access', 5, noAccess],
];

const chances = makers.flatMap(([kind, share, make]) =>
  Array.from({ length: share }, () => [kind, make] as const),
);

function malformed(seed: number): Malformed {
  const dice = createDice(seed);
  const [kind, make] = dice.oneOf(chances);
  return { kind, ...make(dice.oneOf(validRequests), dice) };
}

/** Everything that the server sends until it closes, or `undefined` if it does not. */
function exchange(
  port: number,
  { parts, pauseMs = 0, leaves }: Malformed,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    const deadline = setTimeout(() => {
      resolve(undefined);
      socket.destroy();
    }, deadlineMs);
    socket.on('data', (chunk) => chunks.push(chunk));
    // The server may close before everything is written.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(deadline);
      resolve(Buffer.concat(chunks).toString());
    });
    const [first = Buffer.alloc(0), ...rest] = parts;
    socket.write(first, () => {
      if (leaves === true) socket.end();
    });
    const next = (): void => {
      const part = rest.shift();
      if (part === undefined || !socket.writable) return;
      socket.write(part);
      setTimeout(next, pauseMs);
    };
    setTimeout(next, pauseMs);
  });
}

const leak = new RegExp(
  [
    clientKey,
    narrowKey,
    canary,
    'test-key',
    '\\bat [\\w.<>]+ ?\\(',
    '\\.(?:ts|js|mjs):\\d',
    'node_modules',
    'node:',
    import.meta.dirname,
  ].join('|'),
);

function envelopeProblem(body: string, envelope: Malformed['envelope']): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return 'the body is not JSON';
  }
  const { error, type, request_id: id } = value as Record<string, unknown>;
  const { message, type: kind, param } = (error ?? {}) as Record<string, unknown>;
  if (typeof message !== 'string' || message === '' || typeof kind !== 'string') return 'no error';
  const isAnthropic = type === 'error' && typeof id === 'string';
  const isOpenAI = param === null || typeof param === 'string';
  const holds = {
    anthropic: isAnthropic,
    openai: isOpenAI && !isAnthropic,
    unknown: isOpenAI || isAnthropic,
  };
  return holds[envelope] ? undefined : `not the envelope of ${envelope}`;
}

function problemOf(
  request: Malformed,
  text: string | undefined,
  vendorRequests: number,
): string | undefined {
  if (text === undefined) return `no answer in ${deadlineMs} ms`;
  if (text === '') return request.leaves === true ? undefined : 'no answer';
  const [, digits] = /^HTTP\/1\.1 (\d{3}) /.exec(text) ?? [];
  const status = Number(digits);
  const end = text.indexOf('\r\n\r\n');
  const body = text.slice(end + 4);
  const found = leak.exec(text);
  if (found !== null) return `the answer contains ${JSON.stringify(found[0])}`;
  if (status === 200) {
    if (!request.mayPass) return 'it was answered';
    return /"error":\s*\{|event: error/.test(body) ? 'an error within a 200' : undefined;
  }
  if (!(status >= 400 && status < 500)) return `status ${digits ?? 'none'}`;
  if (vendorRequests > 0)
    return `refused with ${status} after ${vendorRequests} requests to a vendor`;
  // Node's parser answers before there is a request.
  const isNodes = body === '' || !/\r\nx-request-id|\r\nrequest-id/i.test(text.slice(0, end));
  return isNodes ? undefined : envelopeProblem(body, request.envelope);
}

function heapInMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

export type MalformedRun = {
  readonly violations: readonly string[];
  /** How many requests had each kind and status. */
  readonly counts: ReadonlyMap<string, number>;
  /** Of the heap, from the first tenth of the requests to the end. */
  readonly growthMb: number;
};

/** Sends one malformed request for each seed to a handler on a real socket, and a good one now and then. */
export async function sendMalformed(from: number, count: number): Promise<MalformedRun> {
  const server = await HandlerServer.start();
  const { simulators } = server;
  const { baseURL } = simulators.openai;
  server.serve({
    bodyTimeoutMs: 250,
    maxBodyBytes: 256 * 1_024,
    keys: [
      { sha256: sha256(clientKey), subject: 'me', tags: { feature: 'keys' } },
      { sha256: sha256(narrowKey), subject: 'narrow', tiers: ['other'] },
    ],
    allowTags: ['team'],
    config: {
      providers: {
        openai: openai({ apiKey: 'test-key', baseURL }),
        ...Object.fromEntries(server.vendors.map(({ name, provider }) => [name, provider])),
      },
      tiers: {
        chat: ['responses/gpt-5.4-mini'],
        other: ['chat/llama-4'],
        embed: ['openai/text-embedding-3-small'],
        image: ['openai/gpt-image-1'],
      },
    },
  });
  const violations: string[] = [];
  let heapMb = 0;
  let growthMb = 0;
  const counts = new Map<string, number>();
  server.router.on('call-start', ({ tags }) => {
    if (tags.feature !== undefined && tags.feature !== 'keys')
      violations.push(`tag ${tags.feature}`);
  });
  const vendorLogs = () => [simulators.openai, simulators.compatible].flatMap(({ log }) => log);

  async function checkGood(after: string): Promise<void> {
    for (const valid of validRequests) {
      const parts = [bytesOf(valid, jsonOf(valid))];
      const good = { kind: 'good', parts, mayPass: true, envelope: envelopeOf(valid.path) };
      const text = await exchange(server.port, good);
      if (text?.startsWith('HTTP/1.1 200 ') !== true || problemOf(good, text, 1) !== undefined) {
        violations.push(`${after}: ${valid.path} is not answered: ${text?.slice(0, 1_000)}`);
      }
    }
    if (Reflect.get({}, 'polluted') !== undefined)
      violations.push(`${after}: a prototype has changed`);
  }

  try {
    await checkGood('at first');
    for (let seed = from; seed < from + count; seed += 1) {
      if (seed === from + Math.floor(count / 10)) heapMb = heapInMb();
      simulators.reset();
      const request = malformed(seed);
      const text = await exchange(server.port, request);
      const log = vendorLogs();
      const problem = JSON.stringify(log).includes(canary)
        ? 'a header of the client reached a vendor'
        : problemOf(request, text, log.length);
      if (problem !== undefined) violations.push(`seed ${seed}, ${request.kind}: ${problem}`);
      const label = `${request.kind} ${text?.slice(9, 12) || 'left'}`;
      counts.set(label, (counts.get(label) ?? 0) + 1);
      if (seed % 1_000 === 0) await checkGood(`after seed ${seed}`);
    }
    await checkGood('at the end');
    simulators.reset();
    growthMb = heapInMb() - heapMb;
  } finally {
    await server.close();
  }
  return { violations, counts, growthMb };
}
