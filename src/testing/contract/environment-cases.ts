import assert from 'node:assert/strict';
import { type CaseBody, lastRequest, succeed } from './probe.ts';

/** Variables that redirect the vendors' SDKs or make them send more. */
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

/** The process environment must not change requests. */
export const environmentCases: Readonly<Record<string, CaseBody>> = {
  'ignores ambient variables for the URL and the headers': (subject) =>
    withEnvironment(hostileEnvironment, async () => {
      const provider = await subject.makeProvider();
      for (const transfer of ['stream', 'unary'] as const) {
        await succeed({ ...subject, provider }, { transfer });
        const { path, headers, body, key } = lastRequest(subject);
        assert.ok(!JSON.stringify({ path, headers, body, key }).includes('hostile'));
      }
    }),

  'sends no telemetry of the SDK': async (subject) => {
    await succeed(subject);
    const names = Object.keys(lastRequest(subject).headers);
    const telemetry = names.filter((name) => /^x-(stainless|goog-api-client)/.test(name));
    assert.deepEqual(telemetry, []);
  },
};
