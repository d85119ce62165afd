import type { AiSdkSettings } from '../../src/ai-sdk.ts';
import { type AnthropicSettings, anthropic } from '../../src/anthropic.ts';
import type {
  CompatibleSettings,
  OpenAICompatibleSettings,
  Profile,
} from '../../src/compatible.ts';
import { type GoogleSettings, google, type VertexSettings } from '../../src/google.ts';
import {
  type CallDefaults,
  type CallOptions,
  type CircuitSettings,
  createRouter,
  type DrillFault,
  type DrillOptions,
  type EmbedOptions,
  type Hedge,
  type ImageOptions,
  type Limits,
  type Message,
  type Part,
  type Plugin,
  type Price,
  type Provider,
  type RateLimit,
  type Reasoning,
  type RetrySettings,
  type Route,
  type Router,
  type RouterConfig,
  type RoutingConfig,
  type Strategy,
  type TargetObject,
  type TierObject,
  type TierSettings,
  type Timeouts,
  type Tool,
  type Usage,
  type Warning,
} from '../../src/index.ts';
import {
  type AzureOpenAISettings,
  type OpenAIChatSettings,
  type OpenAIConnectionSettings,
  type OpenAISettings,
  openai,
} from '../../src/openai.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import type {
  AdapterContractOptions,
  FakeAnswer,
  FakeFailure,
  FakeProviderSettings,
  FakeRuntimeOptions,
  FaultOptions,
  SimulatedAnswer,
  SimulatedProviderOptions,
  SimulateProvidersOptions,
  SingleFault,
  TestPluginOptions,
} from '../../src/testing.ts';
import { expectType } from './expect-type.ts';

/** The optional fields of a type that do not accept `undefined` with `exactOptionalPropertyTypes`. */
type Exact<Options> = Options extends unknown
  ? {
      [Name in keyof Options]-?: object extends Pick<Options, Name>
        ? { [Each in Name]: undefined } extends Pick<Options, Name>
          ? never
          : Name
        : never;
    }[keyof Options]
  : never;

/** Whether every option of all these types may be `undefined`. */
type Lenient<Options extends readonly unknown[]> = {
  [Index in keyof Options]: [Exact<Options[Index]>] extends [never] ? true : Exact<Options[Index]>;
};
type AllTrue<Each extends readonly unknown[]> = Each[number] extends true ? true : false;

type Calls = [
  CallDefaults,
  CallOptions,
  EmbedOptions,
  ImageOptions,
  Timeouts,
  RetrySettings,
  Route,
  Reasoning,
  Tool,
  Message,
  Part,
  DrillOptions,
  DrillFault,
  NonNullable<Parameters<Router['close']>[0]>,
];
expectType<AllTrue<Lenient<Calls>>>(true);

type Configuration = [
  RouterConfig,
  RoutingConfig,
  TierObject,
  TierSettings,
  TargetObject,
  CircuitSettings,
  Hedge,
  Limits,
  Price,
  Strategy,
  Pick<Plugin, 'exceptTiers' | 'failOpen'>,
];
expectType<AllTrue<Lenient<Configuration>>>(true);

type Factories = [
  OpenAISettings,
  OpenAIChatSettings,
  OpenAIConnectionSettings,
  AzureOpenAISettings,
  AnthropicSettings,
  GoogleSettings,
  VertexSettings,
  CompatibleSettings,
  OpenAICompatibleSettings,
  Profile,
  AiSdkSettings,
];
expectType<AllTrue<Lenient<Factories>>>(true);

// What an adapter of one's own has and returns.
type Methods = 'prepareEmbedding' | 'prepareImage' | 'keySource' | 'keyFor' | 'outputLimit';
expectType<AllTrue<Lenient<[Omit<Provider, Methods>, RateLimit, Usage, Warning]>>>(true);

type Testing = [
  FakeAnswer,
  FakeFailure,
  FakeProviderSettings,
  FakeRuntimeOptions,
  FaultOptions,
  SimulatedAnswer,
  SimulatedProviderOptions,
  SimulateProvidersOptions,
  SingleFault,
  TestPluginOptions,
  AdapterContractOptions,
];
expectType<AllTrue<Lenient<Testing>>>(true);

// The check notices a field that does not accept `undefined`.
// @ts-expect-error
expectType<AllTrue<Lenient<[Timeouts, { readonly a?: string }]>>>(true);

// Values that may be absent are passed through as they are.
declare const maybe: { signal: AbortSignal | undefined; key: string | undefined; ms?: number };
openai({ apiKey: maybe.key, baseURL: maybe.key, headers: undefined });
anthropic({ apiKey: maybe.key });
google({ apiKey: maybe.key, apiVersion: undefined });
const router = createRouter({
  providers: { openai: fakeProvider() },
  tiers: {
    fast: {
      targets: [{ target: 'openai/m', tags: { team: maybe.key }, limits: undefined }],
      timeouts: { totalMs: maybe.ms },
      tags: { team: maybe.key },
      fallbackTier: undefined,
    },
  },
  tags: { service: maybe.key },
  defaults: { providerOptions: { openai: undefined } },
});
await router.complete('fast', 'hello', {
  signal: maybe.signal,
  tags: { user: maybe.key },
  timeouts: { totalMs: maybe.ms },
});
await router.close({ drainMs: maybe.ms });
