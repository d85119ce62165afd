import { writeFile } from 'node:fs/promises';
import { defineConfig } from 'tsup';
import { configJsonSchema } from './src/config/json-schema.ts';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    openai: 'src/openai.ts',
    anthropic: 'src/anthropic.ts',
    google: 'src/google.ts',
    'ai-sdk': 'src/ai-sdk.ts',
    compatible: 'src/compatible.ts',
    config: 'src/config.ts',
    cache: 'src/cache.ts',
    otel: 'src/otel.ts',
    store: 'src/store.ts',
    reports: 'src/reports.ts',
    policies: 'src/policies.ts',
    evals: 'src/evals.ts',
    agents: 'src/agents.ts',
    server: 'src/server.ts',
    mcp: 'src/mcp.ts',
    testing: 'src/testing.ts',
    cli: 'src/cli.ts',
  },
  format: ['esm'],
  target: 'node22.13',
  platform: 'node',
  dts: true,
  // Lists the sources of each built file, for the tests. For source maps, build with `npx tsup --sourcemap`.
  metafile: true,
  splitting: true,
  treeshake: true,
  clean: true,
  // Smaller files with all names kept, and lines that a stack trace can point into.
  esbuildOptions(options) {
    options.minifyWhitespace = true;
    options.minifySyntax = true;
    options.lineLimit = 160;
  },
  async onSuccess() {
    await writeFile('config.schema.json', `${JSON.stringify(configJsonSchema())}\n`);
  },
});
