import assert from 'node:assert/strict';
import { type CaseBody, lastRequest, succeed } from './probe.ts';

/** Variables with which the vendors' SDKs would send our requests, or more than our requests, elsewhere. */
const hostileEnvironment = {
  OPENAI_BASE_URL: 'http://127.0.0.1:9/hostile',
  OPENAI_ORG_ID: 'hostile',
  OPENAI_ORGANIZATION: 'hostile',
  OPENAI_PROJECT_ID: 'hostile',
  OPENAI_ADMIN_KEY: 'hostile',
  OPENAI_CUSTOM_HEADERS: 'x-hostile: hostile',
  OPENAI_LOG: 'debug',
  ANTHROPIC_BASE_URL: 'http://127.0.0.1:9/hostile',
  ANTHROPIC_AUTH_TOKEN: 'hostile',
  ANTHROPIC_CUSTOM_HEADERS: 'x-hostile: hostile\nanthropic-beta: hostile',
  ANTHROPIC_LOG: 'debug',
  GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:9/hostile',
  GOOGLE_VERTEX_BASE_URL: 'http://127.0.0.1:9/hostile',
  GOOGLE_GENAI_USE_VERTEXAI: 'true',
  GOOGLE_GENAI_USE_ENTERPRISE: 'true',
  GOOGLE_CLOUD_PROJECT: 'hostile',
  GOOGLE_CLOUD_LOCATION: 'hostile',
} as const;

async function withEnvironment(
  variables: Readonly<Record<string, string>>,
  run: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    await run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** What the process around us must not change. */
export const environmentCases: Readonly<Record<string, CaseBody>> = {
  'ambient variables change neither the address nor the headers': (subject) =>
    withEnvironment(hostileEnvironment, async () => {
      const provider = await subject.another();
      for (const transfer of ['stream', 'unary'] as const) {
        await succeed({ ...subject, provider }, { transfer });
        const { path, headers, body, key } = lastRequest(subject);
        assert.ok(!JSON.stringify({ path, headers, body, key }).includes('hostile'));
      }
    }),

  'no telemetry of the SDK goes along': async (subject) => {
    await succeed(subject);
    const names = Object.keys(lastRequest(subject).headers);
    const telemetry = names.filter((name) => /^x-(stainless|goog-api-client)/.test(name));
    assert.deepEqual(telemetry, []);
  },
};
