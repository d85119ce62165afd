import {
  createSendWindow,
  type RefusedShare,
  type Sent,
  unusualRefusals,
} from '../internal/send-window.ts';

/** Before so many attempts it is unknown which share is usual. */
const leastAttempts = 40;

/** How often an attempt may raise an alarm by chance. */
const falseAlarms = 1e-5;

/** What the usual share is taken to be before there is any attempt, and for how many attempts that counts. */
const prior = { refused: 0.5, attempts: 100 } as const;

/** The usual share is that of about so many attempts. */
const longest = 1_000;

/** Tells refusals that our rate or number of attempts has caused from those that come at any rate. */
export interface RefusalJudge {
  /** Counts an attempt that is sent now. `isUsual`: no limit of ours changes what is usual. */
  send(now: number, isUsual: boolean): Sent;
  /**
   * The attempt was refused. Returns the share when more of the last twenty are refused than usual, so that there must
   * be a limit; attempts sent so far do not count again then.
   */
  refuse(sent: Sent, isUsual: boolean): RefusedShare | undefined;
  /** The share that is refused at any rate. */
  usualShare(): number;
  /** It was found that this share is refused at any rate. */
  setUsual(share: number): void;
}

export function createRefusalJudge(): RefusalJudge {
  const window = createSendWindow();
  let attempts = 0;
  let refused = 0;
  let isKnown = false;
  /** Attempts up to this number belong to an alarm. */
  let judged = 0;
  let latest = 0;
  /** What is judged is not part of what is usual. */
  const shareWithout = (out: RefusedShare): number =>
    (Math.max(0, refused - out.refused) + prior.refused) /
    (Math.max(0, attempts - out.attempts) + prior.attempts);

  return {
    send(now, isUsual) {
      if (isUsual) attempts += 1;
      isKnown ||= attempts >= leastAttempts;
      if (attempts > longest) {
        attempts /= 2;
        refused /= 2;
      }
      const sent = window.send(now);
      latest = sent.number;
      return sent;
    },
    refuse(sent, isUsual) {
      if (isUsual && sent.number > judged) refused += 1;
      const lately = window.refuse(sent);
      if (!isKnown) return undefined;
      const share = shareWithout(isUsual ? lately : { refused: 0, attempts: 0 });
      if (lately.refused < unusualRefusals(Math.min(share, 0.5), falseAlarms)) return undefined;
      if (isUsual) refused = Math.max(0, refused - lately.refused);
      judged = latest;
      window.startOver();
      return lately;
    },
    usualShare: () => shareWithout({ refused: 0, attempts: 0 }),
    setUsual(share) {
      attempts = longest / 4;
      refused = share * attempts;
      isKnown = true;
      window.startOver();
    },
  };
}
