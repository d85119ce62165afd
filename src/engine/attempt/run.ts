import type { Chain } from '../chain/chain.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import type { Trail } from '../core/trail.ts';
import type { Broken } from './continuation.ts';

/** What the steps of one call share. */
export type Run = {
  readonly engine: Engine;
  readonly call: Call;
  readonly scope: Scope;
  readonly trail: Trail;
  readonly chain: Chain;
  /** Told when the attempt's first token has come. */
  readonly onBegun?: () => void;
  /** Set once an answer has broken off before the eyes of the reader. */
  readonly broken?: Broken;
};
