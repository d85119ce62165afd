import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    testTimeout: 10_000,
    // Tests over real sockets wait more than they work: more of them at once than there are cores.
    maxWorkers: 3,
  },
});
