import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    openai: 'src/openai.ts',
    anthropic: 'src/anthropic.ts',
    google: 'src/google.ts',
    'ai-sdk': 'src/ai-sdk.ts',
    compatible: 'src/compatible.ts',
    testing: 'src/testing.ts',
    cli: 'src/cli.ts',
  },
  format: ['esm'],
  target: 'node22.13',
  platform: 'node',
  dts: true,
  sourcemap: true,
  splitting: true,
  treeshake: true,
  clean: true,
});
