import {
  createSendWindow,
  type RejectedShare,
  type Sent,
  unusualRejections,
} from '../internal/send-window.ts';

/** Attempts required before the usual share is known. */
const minAttempts = 40;

/** Maximum probability per attempt that the usual share alone raises an alarm. */
const falseAlarms = 1e-5;

/** The assumed share before the first attempt, and how many attempts it counts as. */
const prior = { rejected: 0.5, attempts: 100 } as const;

/** Attempts over which the usual share is averaged. */
const maxAttempts = 1_000;

/**
 * Distinguishes rate limits caused by our rate or concurrency from those that occur at any rate: learns the usual share
 * of rejected attempts, and reports when more are rejected.
 */
export interface RejectionBaseline {
  /** Counts an attempt that is sent at `now`. `isUsual`: none of our limits affects the share. */
  send(now: number, isUsual: boolean): Sent;
  /**
   * Records that the vendor rejected the attempt. Returns the share of the last twenty attempts if it is unusually
   * high, so that there must be a limit. Attempts sent so far do not count towards the next alarm.
   */
  rejected(sent: Sent, isUsual: boolean): RejectedShare | undefined;
  /** The share that is rejected at any rate. */
  usualShare(): number;
  /** Replaces the usual share. */
  setUsualShare(share: number): void;
}

export function createRejectionBaseline(): RejectionBaseline {
  const window = createSendWindow();
  let attempts = 0;
  let rejected = 0;
  let isKnown = false;
  /** Attempts up to this number belong to an earlier alarm. */
  let judged = 0;
  let latest = 0;
  /** The attempts under test must not be part of the share that they are compared with. */
  const shareWithout = (excluded: RejectedShare): number =>
    (Math.max(0, rejected - excluded.rejected) + prior.rejected) /
    (Math.max(0, attempts - excluded.attempts) + prior.attempts);

  return {
    send(now, isUsual) {
      if (isUsual) attempts += 1;
      isKnown ||= attempts >= minAttempts;
      if (attempts > maxAttempts) {
        attempts /= 2;
        rejected /= 2;
      }
      const sent = window.send(now);
      latest = sent.number;
      return sent;
    },
    rejected(sent, isUsual) {
      if (isUsual && sent.number > judged) rejected += 1;
      const recent = window.rejected(sent);
      if (!isKnown) return undefined;
      const share = shareWithout(isUsual ? recent : { rejected: 0, attempts: 0 });
      if (recent.rejected < unusualRejections(Math.min(share, 0.5), falseAlarms)) return undefined;
      if (isUsual) rejected = Math.max(0, rejected - recent.rejected);
      judged = latest;
      window.reset();
      return recent;
    },
    usualShare: () => shareWithout({ rejected: 0, attempts: 0 }),
    setUsualShare(share) {
      attempts = maxAttempts / 4;
      rejected = share * attempts;
      isKnown = true;
      window.reset();
    },
  };
}
