import { defineConfig } from 'vitest/config';

/** The unit tests of what `npm run mutate` changes. Each mutant runs those that reach it, so all of them must be fast. */
export default defineConfig({
  test: {
    include: [
      'test/{health,limits,pricing}/*.test.ts',
      'test/engine/{attempt-plan,backoff,decide,queue-rejection,target-registry}.test.ts',
    ],
    // One process for all files is faster: the tests share no state.
    isolate: false,
    // Stryker has its own time limit, which knows how long the tests take without a mutant.
    testTimeout: 60_000,
  },
});
