import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = join(import.meta.dirname, '..', '..', 'support', 'otel-api-version.ts');

// The trace SDK 2.x wants an API below 1.10, and others want 1.10: the plugin works with both.
it.each(['@opentelemetry/api', 'opentelemetry-api-v1.10'])(
  'traces and measures with %s',
  async (api) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', script, api]);
    const { pathname, spans, metrics } = JSON.parse(stdout);
    expect(pathname).toContain(`/node_modules/${api}/`);
    expect(spans).toEqual([
      ['chat m', 'signalbox t'],
      ['chat m', 'signalbox t'],
      ['signalbox t', 'request'],
      ['request', null],
    ]);
    expect(metrics).toContain('gen_ai.client.inference.duration');
    expect(metrics).toContain('signalbox.failovers');
  },
);
