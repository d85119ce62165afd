import type { ReceivedRequest, WireWriter } from '../../wires/common/write.ts';
import type { SimulatedAnswer } from './answer.ts';
import type { FaultQueue } from './faults.ts';

/** What a simulated provider answers: always the same, or worked out for each request. */
export type AnswerSource =
  | string
  | SimulatedAnswer
  | ((
      request: ReceivedRequest,
    ) => string | SimulatedAnswer | undefined | Promise<string | SimulatedAnswer | undefined>);

export type SimulatedProviderOptions = {
  /** The models it knows; a request for any other is answered as the vendor would. @default all */
  readonly models?: readonly string[];
  /** Keys that it turns down. A request without any key is always turned down. @default ['bad-key'] */
  readonly badKeys?: readonly string[];
};

/** Whose server it is, and what it speaks; errors outside any wire are told in the first. */
export type SimulatedVendor = {
  readonly name: string;
  readonly wires: readonly [WireWriter, ...WireWriter[]];
  /** What follows the origin in `baseURL`. */
  readonly basePath: string;
};

/** What a provider does next. Read anew for each request. */
export type Script = {
  readonly vendor: SimulatedVendor;
  readonly models: readonly string[] | undefined;
  readonly badKeys: readonly string[];
  readonly faults: FaultQueue;
  source: AnswerSource | undefined;
  isDown: boolean;
};
