export {
  type AdapterContractOptions,
  adapterContract,
  type ContractCase,
} from './testing/adapter-contract.ts';
export type { FakeAnswer, FakeToolCall, FakeUsage } from './testing/fake-answer.ts';
export {
  type FakeCall,
  type FakeEntry,
  type FakeFailure,
  type FakeProvider,
  type FakeProviderSettings,
  type FakeScript,
  fakeProvider,
} from './testing/fake-provider.ts';
export { type FakeRuntime, type FakeRuntimeOptions, fakeRuntime } from './testing/fake-runtime.ts';
export { type TestPluginOptions, testPlugin } from './testing/plugin-contract.ts';
export { type EventRecorder, type EventSource, recordEvents } from './testing/record-events.ts';
export {
  type AnswerSource,
  type Fault,
  type FaultOptions,
  type LoggedRequest,
  type SimulatedAnswer,
  type SimulatedErrorKind,
  type SimulatedProvider,
  type SimulatedProviderOptions,
  type SimulatedProviders,
  type SimulatedRequest,
  type SimulatedToolCall,
  type SimulatedUsage,
  type SimulatedWireName,
  type SimulateProvidersOptions,
  type SingleFault,
  type StatusFault,
  simulateProviders,
} from './testing/simulate-providers.ts';
export { type StoreContractOptions, storeContract } from './testing/store-contract.ts';
