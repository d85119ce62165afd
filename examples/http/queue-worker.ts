// A worker that takes jobs from a queue: failures that may pass are tried again later, others are set aside.
import { errorResponse, isSignalboxError } from 'signalbox';
import { router } from './router.ts';

export type Job = { readonly id: string; readonly prompt: string; readonly attempt: number };

/** What the worker needs of your queue. */
export interface Queue extends AsyncIterable<Job> {
  done(job: Job, text: string): Promise<void>;
  retry(job: Job, delayMs: number): Promise<void>;
  setAside(job: Job, code: string): Promise<void>;
}

const maxAttempts = 5;

/** Statuses of failures that may pass. */
const passing = [429, 500, 502, 503, 504];

async function run(job: Job, queue: Queue): Promise<void> {
  try {
    // Users who wait go first.
    const answer = await router.complete('chat', job.prompt, { priority: 'low' });
    await queue.done(job, answer.text);
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    const isPassing = passing.includes(errorResponse(error).status);
    if (!isPassing || job.attempt >= maxAttempts) return queue.setAside(job, error.code);
    await queue.retry(job, error.retryAfterMs ?? 1_000 * 2 ** job.attempt);
  }
}

/** Works until the queue ends. After `router.close()` the next job goes back to the queue. */
export async function work(queue: Queue): Promise<void> {
  for await (const job of queue) await run(job, queue);
}
