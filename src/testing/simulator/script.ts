import type { ReceivedRequest, WireWriter } from '../../wires/common/write.ts';
import type { SimulatedAnswer } from './answer.ts';
import type { FaultQueue } from './faults.ts';

/** The answer of a simulated provider: a fixed one, or a function of the request. */
export type AnswerSource =
  | string
  | SimulatedAnswer
  | ((
      request: ReceivedRequest,
    ) => string | SimulatedAnswer | undefined | Promise<string | SimulatedAnswer | undefined>);

export type SimulatedProviderOptions = {
  /** The models it has; other models get the vendor's error. @default all */
  readonly models?: readonly string[] | undefined;
  /** Keys that it rejects. A request without a key is always rejected. @default ['bad-key'] */
  readonly badKeys?: readonly string[] | undefined;
};

/** A vendor and its wires. Errors for unknown paths are sent in the form of the first wire. */
export type SimulatedVendor = {
  readonly name: string;
  readonly wires: readonly [WireWriter, ...WireWriter[]];
  /** The path of `baseURL`. */
  readonly basePath: string;
};

/** A provider's behavior, read for each request. */
export type Script = {
  readonly vendor: SimulatedVendor;
  readonly models: readonly string[] | undefined;
  readonly badKeys: readonly string[];
  readonly faults: FaultQueue;
  source: AnswerSource | undefined;
  isDown: boolean;
};
