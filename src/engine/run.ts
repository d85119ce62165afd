import type { Chain } from './chain.ts';
import type { Broken } from './continuation.ts';
import type { Call, Engine } from './engine.ts';
import type { Scope } from './scope.ts';
import type { Trail } from './trail.ts';

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
