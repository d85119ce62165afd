import { preset } from '../../src/adapters/compatible/index.ts';
import type { ProfileName } from '../../src/adapters/compatible/profile.ts';
import { anthropic } from '../../src/anthropic.ts';
import { google, vertex } from '../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { Price } from '../../src/protocol/usage.ts';
import type { SimulatedProviders } from '../../src/testing/simulate-providers.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** How to reach a vendor. Empty for the real one with the key from the environment. */
export type Connection = { readonly apiKey?: string; readonly baseURL?: string };

/** One row of the live contract: a vendor, its cheapest current model that can do most, and where its key is. */
export type LiveVendor = {
  readonly name: string;
  /** Environment variables: one of each group must be set. Empty for servers that need no key. */
  readonly variables: readonly (readonly string[])[];
  /** Where the model comes from instead of `model`, for vendors with deployments. */
  readonly modelVariable?: string;
  /** `undefined` where only the user knows what is installed. */
  readonly model: string | undefined;
  readonly embeddingModel?: string;
  /** Whether the model reasons when it is asked to. */
  readonly reasons?: boolean;
  /** Price for the cap where the public list has none, in USD per million tokens. */
  readonly assumedPrice?: Price;
  readonly create: (connection: Connection, environment: Environment) => Provider;
  /** The simulated vendor that stands for it. */
  readonly simulator: Exclude<keyof SimulatedProviders, 'reset' | 'close'>;
};

function compatible(
  name: ProfileName,
  row: Omit<LiveVendor, 'name' | 'create' | 'simulator'>,
): LiveVendor {
  return { name, ...row, create: preset(name), simulator: 'compatible' };
}

/** A server on this machine. It runs only when it is named, with the model that is installed. */
function localServer(name: ProfileName): LiveVendor {
  const free = { input: 0, output: 0 };
  return compatible(name, { variables: [], model: undefined, assumedPrice: free });
}

const openaiRow = {
  variables: [['OPENAI_API_KEY']],
  model: 'gpt-6-luna',
  reasons: true,
  simulator: 'openai',
} as const;

/** A vendor with everything that is needed to call it. */
export type Candidate = {
  readonly vendor: LiveVendor;
  readonly model: string;
  readonly connection: Connection;
  readonly environment: Environment;
};

/** Models and prices as of November 2026. `--model <name>=<model>` overrides a model. */
export const liveVendors: readonly LiveVendor[] = [
  { name: 'openai', ...openaiRow, embeddingModel: 'text-embedding-3-small', create: openai },
  { name: 'openai-chat', ...openaiRow, create: openaiChat },
  {
    name: 'anthropic',
    variables: [['ANTHROPIC_API_KEY']],
    model: 'claude-haiku-4-5',
    reasons: true,
    create: anthropic,
    simulator: 'anthropic',
  },
  {
    name: 'google',
    variables: [['GEMINI_API_KEY', 'GOOGLE_API_KEY']],
    model: 'gemini-3.1-flash-lite',
    embeddingModel: 'gemini-embedding-001',
    reasons: true,
    create: google,
    simulator: 'google',
  },
  compatible('mistral', {
    variables: [['MISTRAL_API_KEY']],
    model: 'mistral-small-latest',
    embeddingModel: 'mistral-embed',
  }),
  compatible('xai', { variables: [['XAI_API_KEY']], model: 'grok-4-1-fast-non-reasoning' }),
  compatible('deepseek', {
    variables: [['DEEPSEEK_API_KEY']],
    model: 'deepseek-v4-flash',
    reasons: true,
  }),
  compatible('groq', {
    variables: [['GROQ_API_KEY']],
    model: 'openai/gpt-oss-20b',
    reasons: true,
  }),
  compatible('together', {
    variables: [['TOGETHER_API_KEY']],
    model: 'openai/gpt-oss-20b',
    reasons: true,
    assumedPrice: { input: 0.1, output: 0.4 },
  }),
  compatible('fireworks', {
    variables: [['FIREWORKS_API_KEY']],
    model: 'accounts/fireworks/models/gpt-oss-20b',
    reasons: true,
  }),
  compatible('cohere', {
    variables: [['CO_API_KEY', 'COHERE_API_KEY']],
    model: 'command-r7b-12-2024',
    embeddingModel: 'embed-v4.0',
  }),
  compatible('ai21', {
    variables: [['AI21_API_KEY']],
    model: 'jamba-mini',
    assumedPrice: { input: 0.2, output: 0.4 },
  }),
  compatible('meta', { variables: [['META_API_KEY', 'LLAMA_API_KEY']], model: 'muse-spark-1.3' }),
  compatible('openrouter', {
    variables: [['OPENROUTER_API_KEY']],
    model: 'openai/gpt-oss-20b',
    reasons: true,
  }),
  compatible('perplexity', { variables: [['PERPLEXITY_API_KEY']], model: 'sonar' }),
  compatible('moonshot', {
    variables: [['MOONSHOT_API_KEY']],
    model: 'kimi-k2.5',
    reasons: true,
  }),
  compatible('qwen', {
    variables: [['DASHSCOPE_API_KEY']],
    model: 'qwen-flash',
    embeddingModel: 'text-embedding-v4',
    reasons: true,
    assumedPrice: { input: 0.1, output: 0.5 },
  }),
  compatible('cerebras', {
    variables: [['CEREBRAS_API_KEY']],
    model: 'gpt-oss-120b',
    reasons: true,
  }),
  {
    name: 'azure',
    variables: [
      ['AZURE_OPENAI_API_KEY'],
      ['AZURE_OPENAI_RESOURCE', 'AZURE_OPENAI_ENDPOINT'],
      ['AZURE_OPENAI_DEPLOYMENT'],
    ],
    modelVariable: 'AZURE_OPENAI_DEPLOYMENT',
    model: 'gpt-6-luna',
    create: (connection, { AZURE_OPENAI_RESOURCE: resource, AZURE_OPENAI_ENDPOINT: endpoint }) => {
      const host = resource === undefined ? { baseURL: endpoint ?? '' } : { resource };
      return azureOpenAI(
        connection.baseURL === undefined ? { ...connection, ...host } : connection,
      );
    },
    simulator: 'openai',
  },
  {
    name: 'vertex',
    variables: [['GOOGLE_CLOUD_PROJECT'], ['GOOGLE_APPLICATION_CREDENTIALS']],
    model: 'gemini-3.1-flash-lite',
    reasons: true,
    create: ({ apiKey, baseURL }, environment) => {
      const { GOOGLE_CLOUD_PROJECT: project = 'project', GOOGLE_CLOUD_LOCATION: location } =
        environment;
      return vertex({
        project,
        ...(location !== undefined && { location }),
        ...(apiKey !== undefined && { token: () => apiKey }),
        ...(baseURL !== undefined && { baseURL }),
      });
    },
    simulator: 'google',
  },
  ...(['ollama', 'vllm', 'llamacpp', 'lmstudio'] as const).map(localServer),
];

/** Whether the environment has what the vendor needs. Vendors without variables are never found. */
export function isConfigured({ variables }: LiveVendor, environment: Environment): boolean {
  return variables.length > 0 && missingVariables({ variables }, environment).length === 0;
}

/** The groups of variables of which none is set. */
export function missingVariables(
  { variables }: Pick<LiveVendor, 'variables'>,
  environment: Environment,
): readonly string[] {
  const isSet = (name: string): boolean => (environment[name] ?? '').trim() !== '';
  return variables.filter((group) => !group.some(isSet)).map((group) => group.join(' or '));
}
