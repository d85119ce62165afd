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
  // Four fifths of importing signalbox were the sixty files of zod; what of it is used comes as one.
  noExternal: ['zod'],
  esbuildPlugins: [
    {
      // All copies of zod in a process share their settings by global names. The application's are not ours.
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
