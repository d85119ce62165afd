import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    testTimeout: 10_000,
    // Tests with real sockets mostly wait, so run more workers than there are cores.
    maxWorkers: 3,
  },
});
