import type { Runtime } from '../../protocol/runtime.ts';

const calledOff = new Error('the alarm was called off');

/** Has `ring` called once after `ms`, unless what is returned is called before. */
export function setAlarm(runtime: Runtime, ms: number, ring: () => void): () => void {
  if (runtime.alarm !== undefined) return runtime.alarm(ms, ring);
  const clock = new AbortController();
  runtime.sleep(ms, clock.signal).then(ring, () => undefined);
  return () => clock.abort(calledOff);
}
