import { copyFile, readFile } from 'node:fs/promises';
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
  // Loading zod's sixty files took most of the import time. The used parts are bundled into one file.
  noExternal: ['zod'],
  esbuildPlugins: [
    {
      // All copies of zod in a process share settings through global names. Rename them, to be independent of the
      // application's copy.
      name: 'own-globals-for-zod',
      setup(build) {
        build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]core[\\/]\w+\.js$/ }, async ({ path }) => {
          const contents = await readFile(path, 'utf8');
          return { contents: contents.replaceAll('__zod_', '__signalbox_zod_') };
        });
      },
    },
  ],
  onSuccess: () => copyFile('node_modules/zod/LICENSE', 'dist/zod.LICENSE'),
});
