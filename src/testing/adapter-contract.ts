import { own } from '../internal/own.ts';
import { quotedList } from '../internal/quoted.ts';
import type { Provider } from '../protocol/provider.ts';
import type { WrittenWire } from '../wires/common/write.ts';
import { invalidArgument, isObject } from './check-arguments.ts';
import { answerCases, finishReasonCases } from './contract/answer-cases.ts';
import { conversationCases, textInputCases } from './contract/conversation-cases.ts';
import { damageCases } from './contract/damage-cases.ts';
import { environmentCases } from './contract/environment-cases.ts';
import { errorCases } from './contract/error-cases.ts';
import { leavingCases } from './contract/leaving-cases.ts';
import type { ContractCase } from './contract/probe.ts';
import { type WireFacts, wireFacts } from './contract/wire-facts.ts';
import type { SimulatedProvider } from './simulator/server.ts';

export type { ContractCase } from './contract/probe.ts';

export type AdapterContractOptions = {
  /** Put before the name of each case. */
  readonly name: string;
  /** Makes the adapter, pointed at the simulator's `baseURL` and given a key. Called anew for each case. */
  readonly provider: () => Provider | Promise<Provider>;
  /** A model that reasons, calls tools and fills schemas, as far as the adapter knows models apart. */
  readonly model: string;
  /** The vendor's side. It is reset before each case. */
  readonly simulator: SimulatedProvider;
  /** What the adapter and the simulator speak. */
  readonly wire: WrittenWire;
  /**
   * Whether the vendor shows its reasoning.
   * @default 'hidden' on Chat Completions, as at OpenAI, and 'shown' elsewhere
   */
  readonly reasoning?: 'shown' | 'hidden';
};

/**
 * The conformance suite that every adapter must pass, one case for each pain that adapters are known for.
 * Belongs to no test framework:
 *
 * ```ts
 * for (const { name, run } of adapterContract(options)) it(name, run);
 * ```
 *
 * Cases share the simulator and the process environment, so they must not run at the same time as each other.
 * They do not test that settings are checked, or that the vendor's SDK is loaded late.
 */
export function adapterContract(options: AdapterContractOptions): readonly ContractCase[] {
  if (!isObject(options)) throw invalidArgument('adapterContract()', 'called with an object');
  const { simulator, model, reasoning } = options;
  const usual: WireFacts | undefined = own(wireFacts, String(options.wire));
  if (usual === undefined) {
    throw invalidArgument('adapterContract().wire', `one of ${quotedList(Object.keys(wireFacts))}`);
  }
  if (typeof options.provider !== 'function') {
    throw invalidArgument('adapterContract().provider', 'a function that makes the adapter');
  }
  const facts: WireFacts = {
    ...usual,
    ...(reasoning !== undefined && { showsReasoning: reasoning === 'shown' }),
  };
  const another = async (): Promise<Provider> => options.provider();
  const bodies = {
    ...answerCases,
    ...finishReasonCases(facts),
    ...conversationCases,
    ...(facts.inputIsText ? textInputCases : {}),
    ...damageCases,
    ...errorCases,
    ...leavingCases,
    ...environmentCases,
  };
  return Object.entries(bodies).map(([name, body]) => ({
    name: `${options.name}: ${name}`,
    run: async () => {
      simulator.reset();
      await body({ provider: await another(), another, model, simulator, facts });
    },
  }));
}
