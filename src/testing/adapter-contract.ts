import { own } from '../internal/own.ts';
import { quotedList } from '../internal/quoted.ts';
import type { Provider } from '../protocol/provider.ts';
import type { WrittenWire } from '../wires/common/write.ts';
import { invalidArgument, isObject } from './check-arguments.ts';
import { abortCases } from './contract/abort-cases.ts';
import { answerCases, finishReasonCases } from './contract/answer-cases.ts';
import { conversationCases, textInputCases } from './contract/conversation-cases.ts';
import { damageCases } from './contract/damage-cases.ts';
import { environmentCases } from './contract/environment-cases.ts';
import { errorCases } from './contract/error-cases.ts';
import type { ContractCase } from './contract/probe.ts';
import { type WireFacts, wireFacts } from './contract/wire-facts.ts';
import type { SimulatedProvider } from './simulator/server.ts';

export type { ContractCase } from './contract/probe.ts';

export type AdapterContractOptions = {
  /** Prefix of each case's name. */
  readonly name: string;
  /** Makes the adapter with the simulator's `baseURL` and a key. Called for each case. */
  readonly provider: () => Provider | Promise<Provider>;
  /** A model that reasons, calls tools and fills schemas, if the adapter distinguishes models. */
  readonly model: string;
  /** The simulated vendor. It is reset before each case. */
  readonly simulator: SimulatedProvider;
  /** The wire of the adapter and the simulator. */
  readonly wire: WrittenWire;
  /**
   * Whether the vendor returns its reasoning.
   * @default 'hidden' on Chat Completions, as at OpenAI, 'shown' elsewhere
   */
  readonly reasoning?: 'shown' | 'hidden' | undefined;
};

/**
 * The conformance suite that every adapter must pass, with one case for each known problem of adapters. Works with any
 * test framework:
 *
 * ```ts
 * for (const { name, run } of adapterContract(options)) it(name, run);
 * ```
 *
 * Cases share the simulator and the process environment, so they must not run concurrently. They do not test how
 * settings are validated or when the vendor's SDK is loaded.
 */
export function adapterContract(options: AdapterContractOptions): readonly ContractCase[] {
  if (!isObject(options)) throw invalidArgument('adapterContract()', 'called with an object');
  const { simulator, model, reasoning } = options;
  const wireDefaults: WireFacts | undefined = own(wireFacts, String(options.wire));
  if (wireDefaults === undefined) {
    throw invalidArgument('adapterContract().wire', `one of ${quotedList(Object.keys(wireFacts))}`);
  }
  if (typeof options.provider !== 'function') {
    throw invalidArgument('adapterContract().provider', 'a function that makes the adapter');
  }
  const facts: WireFacts = {
    ...wireDefaults,
    ...(reasoning !== undefined && { showsReasoning: reasoning === 'shown' }),
  };
  const makeProvider = async (): Promise<Provider> => options.provider();
  const bodies = {
    ...answerCases,
    ...finishReasonCases(facts),
    ...conversationCases,
    ...(facts.inputIsText ? textInputCases : {}),
    ...damageCases,
    ...errorCases,
    ...abortCases,
    ...environmentCases,
  };
  return Object.entries(bodies).map(([name, body]) => ({
    name: `${options.name}: ${name}`,
    run: async () => {
      simulator.reset();
      await body({ provider: await makeProvider(), makeProvider, model, simulator, facts });
    },
  }));
}
