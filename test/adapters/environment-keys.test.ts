import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import {
  ai21,
  cerebras,
  cohere,
  deepseek,
  fireworks,
  groq,
  meta,
  mistral,
  moonshot,
  type OpenAICompatibleSettings,
  openaiCompatible,
  openrouter,
  type Profile,
  perplexity,
  qwen,
  together,
  xai,
} from '../../src/compatible.ts';
import { google, vertex } from '../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { callProvider, requestOf } from '../support/provider-calls.ts';
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

type Fetch = typeof globalThis.fetch;
type Settings = { readonly baseURL?: string; readonly fetch?: Fetch; readonly apiKey?: string };

/** The URL and headers of a request. */
type Sent = { readonly url: URL; readonly headers: Headers };

type Row = {
  readonly make: (settings: Settings) => Provider;
  readonly variable: string;
  /** The header of the key. */
  readonly header: string;
  readonly host: string;
  /** The domain of all hosts of the vendor. @default the host */
  readonly domain?: string;
  /** Other hosts of the vendor. */
  readonly others?: readonly string[];
  /** The key that other hosts get instead of an `auth` error. */
  readonly elsewhere?: string;
};

const rows: Readonly<Record<string, Row>> = {
  openai: {
    make: openai,
    variable: 'OPENAI_API_KEY',
    header: 'authorization',
    host: 'api.openai.com',
    others: ['eu.api.openai.com'],
  },
  openaiChat: {
    make: openaiChat,
    variable: 'OPENAI_API_KEY',
    header: 'authorization',
    host: 'api.openai.com',
    others: ['us.api.openai.com'],
    elsewhere: 'Bearer none',
  },
  anthropic: {
    make: anthropic,
    variable: 'ANTHROPIC_API_KEY',
    header: 'authorization',
    host: 'api.anthropic.com',
  },
  google: {
    make: google,
    variable: 'GEMINI_API_KEY',
    header: 'x-goog-api-key',
    host: 'generativelanguage.googleapis.com',
    domain: 'googleapis.com',
    others: ['aiplatform.googleapis.com'],
  },
  azureOpenAI: {
    make: ({ baseURL = 'https://acme.openai.azure.com', ...rest }) =>
      azureOpenAI({ baseURL, ...rest }),
    variable: 'AZURE_OPENAI_API_KEY',
    header: 'api-key',
    host: 'acme.openai.azure.com',
    domain: 'openai.azure.com',
    others: ['acme.services.ai.azure.com', 'acme.openai.azure.us'],
  },
  ...Object.fromEntries(
    (
      [
        [mistral, 'MISTRAL_API_KEY', 'api.mistral.ai'],
        [xai, 'XAI_API_KEY', 'api.x.ai', 'eu-west-1.api.x.ai'],
        [deepseek, 'DEEPSEEK_API_KEY', 'api.deepseek.com'],
        [groq, 'GROQ_API_KEY', 'api.groq.com'],
        [together, 'TOGETHER_API_KEY', 'api.together.xyz', 'api.together.ai'],
        [fireworks, 'FIREWORKS_API_KEY', 'api.fireworks.ai'],
        [cohere, 'CO_API_KEY', 'api.cohere.ai', 'api.cohere.com'],
        [ai21, 'AI21_API_KEY', 'api.ai21.com'],
        [meta, 'META_API_KEY', 'api.meta.ai', 'api.llama.com'],
        [openrouter, 'OPENROUTER_API_KEY', 'openrouter.ai', 'eu.openrouter.ai'],
        [perplexity, 'PERPLEXITY_API_KEY', 'api.perplexity.ai'],
        [moonshot, 'MOONSHOT_API_KEY', 'api.moonshot.ai', 'api.moonshot.cn'],
        [qwen, 'DASHSCOPE_API_KEY', 'dashscope-intl.aliyuncs.com', 'dashscope.aliyuncs.com'],
        [cerebras, 'CEREBRAS_API_KEY', 'api.cerebras.ai'],
      ] as const
    ).map(([make, variable, host, other]) => {
      const others = other === undefined ? [] : [other];
      return [host, { make, variable, header: 'authorization', host, others }];
    }),
  ),
};

let server: ScriptedServer | undefined;

beforeEach(() => {
  for (const { variable } of Object.values(rows)) vi.stubEnv(variable, `from-${variable}`);
  vi.stubEnv('GOOGLE_API_KEY', '');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.stop();
  server = undefined;
});

/** The requests that are sent. The vendor answers with 500. */
async function sentBy({ make }: Row, settings: Settings): Promise<readonly Sent[]> {
  const sent: Sent[] = [];
  const fetch: Fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    sent.push({ url, headers: new Headers(init?.headers) });
    return Response.json({ error: { message: 'No' } }, { status: 500 });
  };
  await callProvider(make({ fetch, ...settings }), requestOf({ model: 'm' })).catch(
    () => undefined,
  );
  return sent;
}

function keyIn(sent: readonly Sent[], header: string): string | undefined {
  return sent[0]?.headers.get(header)?.replace('Bearer ', '');
}

/** URLs that resemble those of the vendor. */
function lookalikes({ host, domain = host }: Row): readonly string[] {
  return [
    `https://${host}.evil.example/v1`,
    `https://evil-${domain}/v1`,
    `https://evil.example\\@${host}/v1`,
    `https://evil.example/${host}`,
    `https://evil.example/?${host}`,
    `https://evil.example/#${host}`,
    `https://evil.example:443/https://${host}`,
    `https://${host.replaceAll('.', '-')}.evil.example`,
    `https://${host.replaceAll('.', 'x')}`,
    `https://x${host.replaceAll('.', 'x.')}`,
    `https://${host}:8443/v1`,
    `https://${host}./v1`,
    `http://${host}/v1`,
    'https://127.0.0.1.evil.example/v1',
    'https://localhost.evil.example/v1',
    'https://evil.localhost/v1',
    'http://10.0.0.1/v1',
    'http://[::2]/v1',
  ];
}

describe.each(Object.entries(rows))('the environment key of %s', (_, row) => {
  it("is sent to the vendor's hosts, in every spelling", async () => {
    const { host, header, variable, others = [] } = row;
    const addresses = [
      undefined,
      `https://${host}/v1`,
      `https://${host}:443/v1`,
      `HTTPS://${host.toUpperCase()}/v1`,
      ...others.map((other) => `https://${other}/v1`),
    ];
    for (const baseURL of addresses) {
      const sent = await sentBy(row, baseURL === undefined ? {} : { baseURL });
      expect(keyIn(sent, header), baseURL).toBe(`from-${variable}`);
      expect([host, ...others]).toContain(sent[0]?.url.hostname);
      expect(sent[0]?.url.protocol).toBe('https:');
    }
  });

  it.each(lookalikes(row))('is not sent elsewhere: %s', async (baseURL) => {
    const sent = await sentBy(row, { baseURL });
    expect(
      sent.flatMap(({ url, headers }) => [String(url), ...headers.values()]).join(),
    ).not.toContain('from-');
    const isOpenAI = new URL(baseURL).hostname === row.host;
    if (row.elsewhere !== undefined && !isOpenAI) {
      expect(sent[0]?.headers.get(row.header)).toBe(row.elsewhere);
      return;
    }
    expect(sent).toEqual([]);
    await expect(
      callProvider(row.make({ baseURL }), requestOf({ model: 'm' })),
    ).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringMatching(
        `apiKey: there is no key; set it \\(the variable .*${row.variable}`,
      ),
    });
  });

  it('is not sent to a URL with the host as user name', () => {
    for (const baseURL of [
      `https://${row.host}@evil.example/v1`,
      `https://${row.host}:443@evil.example/v1`,
    ]) {
      expect(() => row.make({ baseURL })).toThrow('().baseURL');
    }
  });

  it('does not restrict a key set by the caller', async () => {
    const sent = await sentBy(row, { baseURL: 'http://llm.internal/v1', apiKey: 'mine' });
    expect(keyIn(sent, row.header)).toBe('mine');
    expect(sent[0]?.url.hostname).toBe('llm.internal');
  });

  it('is sent to this machine, and redirects are not followed', async () => {
    const elsewhere = await startScriptedServer((response) => void response.end('{}'));
    try {
      for (const status of [301, 302, 307, 308]) {
        server = await startScriptedServer((response) => {
          response.writeHead(status, { location: `${elsewhere.url}/v1` }).end();
        });
        const call = callProvider(row.make({ baseURL: server.url }), requestOf({ model: 'm' }));
        await expect(call).rejects.toMatchObject({ code: 'invalid_response', status });
        const { [row.header]: key } = server.seen[0]?.headers ?? {};
        expect(key?.toString().replace('Bearer ', '')).toBe(
          row.elsewhere === undefined ? `from-${row.variable}` : 'none',
        );
        await server.stop();
      }
      expect(elsewhere.seen).toEqual([]);
    } finally {
      await elsewhere.stop();
    }
  });

  it('is the only value read from the environment', async () => {
    const prefixes = ['OPENAI', 'ANTHROPIC', 'AZURE_OPENAI', 'GOOGLE', 'GEMINI', 'MISTRAL', 'GROQ'];
    const names = ['CUSTOM_HEADERS', 'BASE_URL', 'ORG_ID', 'ORGANIZATION', 'PROJECT_ID', 'PROJECT'];
    for (const prefix of prefixes) {
      for (const each of names) vi.stubEnv(`${prefix}_${each}`, 'x-hostile: hostile');
      vi.stubEnv(`${prefix}_ENDPOINT`, 'https://hostile.example');
      vi.stubEnv(`${prefix}_AUTH_TOKEN`, 'hostile');
    }
    vi.stubEnv('OPENAI_ADMIN_KEY', 'hostile');
    vi.stubEnv('OPENAI_API_VERSION', 'hostile');
    vi.stubEnv('OPENAI_WEBHOOK_SECRET', 'hostile');
    vi.stubEnv('GOOGLE_GEMINI_BASE_URL', 'https://hostile.example');
    const [sent] = await sentBy(row, {});
    expect(sent?.url.hostname).toBe(row.host);
    const allowed = ['accept', 'anthropic-version', 'content-type', 'user-agent', row.header];
    expect([...(sent?.headers.keys() ?? [])].filter((each) => !allowed.includes(each))).toEqual([]);
    expect([...(sent?.headers.values() ?? []), String(sent?.url)].join()).not.toContain('hostile');
  });
});

describe('two variables', () => {
  it.each<[string, string, Row['make']]>([
    ['GOOGLE_API_KEY', 'GEMINI_API_KEY', google],
    ['CO_API_KEY', 'COHERE_API_KEY', cohere],
    ['META_API_KEY', 'LLAMA_API_KEY', meta],
  ])('%s takes precedence over %s, unless it is blank', async (first, second, make) => {
    const header = make === google ? 'x-goog-api-key' : 'authorization';
    vi.stubEnv(first, 'the-first');
    vi.stubEnv(second, 'the-second');
    const row = { make, variable: first, header, host: '' };
    expect(keyIn(await sentBy(row, {}), header)).toBe('the-first');
    vi.stubEnv(first, ' ');
    expect(keyIn(await sentBy(row, {}), header)).toBe('the-second');
  });
});

describe('a custom profile', () => {
  const sentWith = (profile: Profile, baseURL?: string) => {
    vi.stubEnv('MY_KEY', 'mine');
    const make = (settings: Settings) =>
      openaiCompatible({ profile, ...settings } as OpenAICompatibleSettings);
    const row = { make, variable: 'MY_KEY', header: 'authorization', host: '' };
    return sentBy(row, baseURL === undefined ? {} : { baseURL });
  };
  const keyVariables = ['MY_KEY'];

  it('sends its key only to its baseURL and its keyHosts', async () => {
    const profile = { baseURL: 'http://llm.lan:9/v1', keyVariables, keyHosts: ['LLM.example', ''] };
    const keyAt = async (baseURL?: string) =>
      keyIn(await sentWith(profile, baseURL), 'authorization');
    expect(await keyAt()).toBe('mine');
    expect(await keyAt('https://eu.llm.example')).toBe('mine');
    expect(await keyAt('https://llm.example.evil.example')).toBeUndefined();
    expect(await keyAt('https://evil.example.')).toBeUndefined();
  });

  it('accepts a credential header instead of the key, in any letter case', async () => {
    vi.stubEnv('MY_KEY', 'from-env');
    const profile = { baseURL: 'https://llm.example', keyVariables, authHeader: 'X-Key' };
    const make = ({ fetch }: Settings) =>
      openaiCompatible({ profile, headers: { 'x-kEy': 'mine' }, ...(fetch && { fetch }) });
    const row = { make, variable: 'MY_KEY', header: 'x-key', host: 'llm.example' };
    expect((await sentBy(row, {}))[0]?.headers.get('x-key')).toBe('mine');
  });

  it('without baseURL sends its key to the URL that is set', async () => {
    const sent = await sentWith({ keyVariables }, 'http://llm.lan:9/v1');
    expect(keyIn(sent, 'authorization')).toBe('mine');
  });
});

describe('the default credentials of vertex()', () => {
  it('are not looked up when the URL is not of Google', async () => {
    const provider = vertex({
      project: 'p',
      baseURL: 'https://aiplatform.googleapis.com.evil.example',
    });
    await expect(callProvider(provider, requestOf({ model: 'm' }))).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('https://aiplatform.googleapis.com.evil.example'),
    });
  });
});
