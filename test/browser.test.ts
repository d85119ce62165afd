import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

const paths = [process.env.CHROMIUM_PATH ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'];
const executablePath = paths.find((path) => path !== '' && existsSync(path));

if (executablePath === undefined) {
  console.warn(
    'SKIPPED: no browser reads the Fastify recipe. Install chromium (apt-get install chromium) or set CHROMIUM_PATH.',
  );
}

/** An `EventSource` connects again after 3 s by default. */
const longerThanReconnectMs = 5_000;

/** What the page shows; `closes` is whether its code closes the source at the end, as it should. */
type Shown = {
  text: string;
  finished: boolean;
  /** Data of the error events; `null` for an error of the connection. */
  errors: ({ readonly code: string } | null)[];
  readonly source: { readonly readyState: number; close(): void };
};

/** Runs in the page. */
const client = (closes: boolean): string => `
  const source = new EventSource('/chat?prompt=Hello');
  window.shown = { text: '', finished: false, errors: [], source };
  source.addEventListener('text-delta', ({ data }) => { shown.text += JSON.parse(data).delta; });
  source.addEventListener('restart', () => { shown.text = ''; });
  source.addEventListener('finish', () => { shown.finished = true; if (${closes}) source.close(); });
  source.addEventListener('error', ({ data }) => {
    shown.errors.push(data === undefined ? null : JSON.parse(data));
    if (${closes}) source.close();
  });
`;

describe.skipIf(executablePath === undefined)('a browser that reads the Fastify recipe', () => {
  let browser: Browser;
  let page: Page;
  let tearDown: () => Promise<void>;

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath ?? '',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
  });
  afterAll(() => browser.close());
  afterEach(() => tearDown());

  async function setUp() {
    for (const key of ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY']) {
      vi.stubEnv(key, '');
    }
    vi.stubEnv('PORT', '0');
    vi.resetModules();
    const { close, simulators } = await import('../examples/providers.ts');
    const { router } = await import('../examples/http/router.ts');
    const { server } = await import('../examples/http/fastify.ts');
    const { port } = server.address() as AddressInfo;
    page = await browser.newPage();
    tearDown = async () => {
      await page.close();
      server.close();
      server.closeAllConnections();
      await router.close();
      await close();
    };
    // Not found, which is a page of the same origin.
    await page.goto(`http://127.0.0.1:${port}/`);
    const { openai, anthropic } = simulators;
    openai.answer({ chunks: ['One, ', 'two, ', 'three.'] });
    anthropic.answer({ chunks: ['Four, ', 'five, ', 'six.'] });
    return { openai, anthropic, server };
  }

  const shown = (): Promise<Omit<Shown, 'source'> & { readonly readyState: number }> =>
    page.evaluate('({ ...shown, source: undefined, readyState: shown.source.readyState })');

  test.each([true, false])('shows the text once through a failover; closes %s', async (closes) => {
    const { openai, anthropic } = await setUp();
    openai.fault({ type: 'status', kind: 'rate_limited', retryAfterSeconds: 60 });
    await page.evaluate(client(closes));
    await expect.poll(shown).toMatchObject({ finished: true });
    if (!closes) await delay(longerThanReconnectMs);
    // The end of the connection is an error to an EventSource that is not closed.
    expect(await shown()).toMatchObject({
      text: 'Four, five, six.',
      errors: closes ? [] : [null],
    });
    expect(anthropic.log).toHaveLength(1);
    expect(openai.log).toHaveLength(1);
  });

  test.each([true, false])('shows an error in the middle; closes %s', async (closes) => {
    const { openai, anthropic } = await setUp();
    openai.fault({ type: 'cut', afterEvents: 6 });
    await page.evaluate(client(closes));
    const error = {
      type: 'error',
      code: 'stream_interrupted',
      message: 'The answer broke off. Try again.',
    };
    await expect.poll(async () => (await shown()).errors[0]).toEqual(error);
    if (!closes) await delay(longerThanReconnectMs);
    const { text, errors, finished } = await shown();
    expect(text).toMatch(/^One, /);
    expect(finished).toBe(false);
    expect(errors).toEqual(closes ? [error] : [error, null]);
    expect(openai.log).toHaveLength(1);
    expect(anthropic.log).toHaveLength(0);
  });

  test('does not run the prompt again when its connection breaks', async () => {
    const { openai, server } = await setUp();
    openai.fault({ type: 'stall', afterEvents: 6 });
    await page.evaluate(client(false));
    await expect.poll(async () => (await shown()).text).toMatch(/^One, /);
    expect(openai.openRequests).toBe(1);
    server.closeAllConnections();
    await expect.poll(() => openai.openRequests).toBe(0);
    await delay(longerThanReconnectMs);
    expect(await shown()).toMatchObject({ finished: false, errors: [null] });
    expect(openai.log).toHaveLength(1);
  });

  test.each([
    ['closes its source', () => page.evaluate('shown.source.close()')],
    ['leaves the page', () => page.goto('about:blank')],
  ])("closes the vendor's socket when it %s", async (_, leave) => {
    const { openai, anthropic } = await setUp();
    openai.fault({ type: 'stall', afterEvents: 6 });
    await page.evaluate(client(true));
    await expect.poll(async () => (await shown()).text).toMatch(/^One, /);
    expect(openai.openRequests).toBe(1);
    await leave();
    await expect.poll(() => openai.openRequests).toBe(0);
    expect(openai.log).toHaveLength(1);
    expect(anthropic.log).toHaveLength(0);
  });

  test('does not connect again after a status before the answer', async () => {
    const { openai, anthropic } = await setUp();
    const limited = { type: 'status', kind: 'rate_limited', retryAfterSeconds: 90 } as const;
    for (const vendor of [openai, anthropic]) vendor.fault(limited);
    await page.evaluate(client(false));
    await expect.poll(async () => (await shown()).errors).toEqual([null]);
    expect((await shown()).readyState).toBe(2);
    expect(openai.log).toHaveLength(1);
  });
});
