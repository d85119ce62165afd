import { defineConfig } from 'vitest/config';

/**
 * Tests that need a process of their own, because they are about what it does once (a warning, the vendors and the router
 * that the modules of examples start) or what holds for all of it (mocked modules, the dispatcher of `fetch`, the context
 * of OpenTelemetry).
 */
const alone = [
  'test/{browser,http-examples}.test.ts',
  'test/config-source/without-yaml.test.ts',
  'test/engine/budget-warning.test.ts',
  'test/internal/linear-pattern.test.ts',
  'test/mcp/http-recipe.test.ts',
  'test/plugins/otel/*.test.ts',
  'test/scenarios/{learned-limits,tls-and-proxies}.test.ts',
];

export default defineConfig({
  test: {
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    // Generous, because a slow machine is no reason to fail.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // Tests with real sockets mostly wait, so run more workers than there are cores.
    maxWorkers: 3,
    projects: [
      // Files share a process: loading the sources again for each of them takes longer than the tests.
      {
        extends: true,
        test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: alone, isolate: false },
      },
      { extends: true, test: { name: 'alone', include: alone } },
    ],
  },
});
