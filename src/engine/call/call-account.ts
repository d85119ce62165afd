import { isSignalboxError, type SignalboxError, summarizeError } from '../../errors.ts';
import { forgetLastMatch } from '../../internal/forget-last-match.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Engine } from '../core/engine.ts';
import type { CallScope } from '../core/scope.ts';
import type { Trail } from '../core/trail.ts';

/** The first and the last event of a call, and what is cleaned up with it. */
export interface CallAccount {
  readonly trail: Trail;
  open(): void;
  close(outcome: Completion | SignalboxError): void;
}

/** The account of a call. */
export class WholeCallAccount implements CallAccount {
  readonly trail: Trail;
  readonly #engine: Engine;
  readonly #mode: 'complete' | 'stream';
  readonly #scope: CallScope;
  readonly #onClose: () => void;

  constructor(
    engine: Engine,
    trail: Trail,
    {
      scope,
      mode,
      onClose,
    }: {
      readonly scope: CallScope;
      readonly mode: 'complete' | 'stream';
      readonly onClose: () => void;
    },
  ) {
    this.trail = trail;
    this.#engine = engine;
    this.#mode = mode;
    this.#scope = scope;
    this.#onClose = onClose;
  }

  open(): void {
    this.trail.emit('call-start', { mode: this.#mode });
  }

  close(outcome: Completion | SignalboxError): void {
    this.#scope.close();
    try {
      this.#emitEnd(outcome);
    } finally {
      this.#onClose();
      forgetLastMatch();
    }
  }

  #emitEnd(outcome: Completion | SignalboxError): void {
    const { trail } = this;
    const common = {
      attempts: trail.attempts,
      durationMs: this.#engine.runtime.now() - this.#scope.startedAt,
      usd: trail.hasUnknownCost ? null : trail.usd,
    };
    if (!isSignalboxError(outcome)) {
      const { firstTokenMs } = outcome.latency;
      const timing = firstTokenMs === undefined ? {} : { firstTokenMs };
      trail.emit('call-end', { ...common, ...timing, status: 'ok', target: outcome.target });
      return;
    }
    const isAborted = outcome.code === 'aborted' || outcome.code === 'closed';
    const status = isAborted ? 'aborted' : 'error';
    trail.emit('call-end', { ...common, status, error: summarizeError(outcome) });
  }
}

/** The account of a run within a call: the call itself has the events. */
export class PartialAccount implements CallAccount {
  readonly trail: Trail;
  readonly #onClose: () => void;

  constructor(trail: Trail, onClose: () => void) {
    this.trail = trail;
    this.#onClose = onClose;
  }

  open(): void {}

  close(): void {
    this.#onClose();
  }
}
