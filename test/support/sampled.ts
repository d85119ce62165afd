/**
 * How many cases to run: all of them in `npm run test:all`, otherwise as many as `npm test` has time for. Both are the
 * first ones of the same sequence.
 */
export function sampled(all: number, sample: number): number {
  return process.env.TEST_ALL === '1' ? all : sample;
}
