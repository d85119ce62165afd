import {
  createSendWindow,
  isTargetLimited,
  type SendWindow,
  type Sent,
} from '../internal/send-window.ts';

/** A vendor's refusal of one attempt: "too many". */
type LimitRefusal = {
  /** See {@link RefusalRecords.sent}. */
  readonly attempt: Sent;
  /** After how long the vendor wants to be asked again, if it said so. */
  readonly retryAfterMs: number | undefined;
  /** The vendor said that nothing is left, for anybody. */
  readonly nothingLeft: boolean;
};

/** How long a limit without a time lasts. */
type UsualWait = { readonly minMs: number; readonly maxMs: number };

type TargetRecord = {
  readonly window: SendWindow;
  /** Limits without a time in a row, none answered in between. */
  row: number;
  /** Until when the latest of them lasts. */
  until: number;
  /** Another key of the pool is better until then. */
  avoidUntil: number;
};

/** Which of the last attempts each target, or each key of it, has refused. */
export interface RefusalRecords {
  /** Counts an attempt that is sent now. */
  sent(key: string): Sent;
  /**
   * Books a refusal. Returns until when the target is limited; `undefined` when the refusal binds only the call that
   * received it.
   */
  refused(key: string, refusal: LimitRefusal, usual: UsualWait): number | undefined;
  /** The attempt was answered. */
  answered(key: string, attempt: Sent): void;
  /** Another key is better until then. */
  avoid(key: string, until: number): void;
  isAvoided(key: string): boolean;
  /** Forgets targets whose name does not count any more. */
  prune(isNamed: (name: string) => boolean): void;
}

export function createRefusalRecords(now: () => number): RefusalRecords {
  const records = new Map<string, TargetRecord>();

  function recordOf(key: string): TargetRecord {
    let known = records.get(key);
    if (known === undefined) {
      known = { window: createSendWindow(), row: 0, until: 0, avoidUntil: 0 };
      records.set(key, known);
    }
    return known;
  }

  return {
    sent: (key) => recordOf(key).window.send(now()),
    refused(key, { attempt, retryAfterMs, nothingLeft }, { minMs, maxMs }) {
      const record = recordOf(key);
      const share = record.window.refuse(attempt);
      if (!nothingLeft && !isTargetLimited(share)) return undefined;
      if (retryAfterMs !== undefined) return now() + retryAfterMs;
      // What was sent before the limit says nothing new about it.
      if (attempt.batch.at < record.until) return record.until;
      record.until = now() + Math.min(maxMs, minMs * 2 ** record.row);
      record.row += 1;
      return record.until;
    },
    answered(key, { batch }) {
      const record = records.get(key);
      if (record !== undefined && batch.at >= record.until) record.row = 0;
    },
    avoid(key, until) {
      const record = recordOf(key);
      record.avoidUntil = Math.max(record.avoidUntil, until);
    },
    isAvoided: (key) => (records.get(key)?.avoidUntil ?? 0) > now(),
    prune(isNamed) {
      for (const key of records.keys()) if (!isNamed(key)) records.delete(key);
    },
  };
}
