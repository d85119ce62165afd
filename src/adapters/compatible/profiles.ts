import type { Capability } from '../../protocol/provider.ts';
import type { ChatQuirks } from '../openai-chat/index.ts';

/** Models with quirks of their own, by a pattern of the name. */
export type ModelQuirks = { readonly pattern: RegExp; readonly quirks: Partial<ChatQuirks> };

/** What sets a vendor of Chat Completions apart. All that is left out is as nearly all vendors have it. */
export type Profile = Partial<ChatQuirks> & {
  /** The address, with its version. */
  readonly baseURL?: string;
  /** The environment variables of its key, the preferred first; none for servers that want no key. */
  readonly keyVariables?: readonly string[];
  /** The header of the key: `authorization` carries it as a bearer token, any other as it is. */
  readonly authHeader?: string;
  /** The vendor's name in price lists. */
  readonly priceList?: string;
  /** What its models can take, when that is less than usual. */
  readonly capabilities?: readonly Capability[];
  /** The first match counts; its quirks go over those of the vendor. */
  readonly models?: readonly ModelQuirks[];
};

export type ProfileName =
  | 'mistral'
  | 'xai'
  | 'deepseek'
  | 'groq'
  | 'together'
  | 'fireworks'
  | 'cohere'
  | 'ai21'
  | 'meta'
  | 'openrouter'
  | 'perplexity'
  | 'moonshot'
  | 'qwen'
  | 'cerebras'
  | 'ollama'
  | 'vllm'
  | 'llamacpp'
  | 'lmstudio';

/**
 * Every vendor, one row each. Put together in November 2026 from the vendors' documentation and from what other
 * clients do; docs/providers.md tells what was checked against recorded answers.
 */
export const profiles = {
  mistral: {
    baseURL: 'https://api.mistral.ai/v1',
    keyVariables: ['MISTRAL_API_KEY'],
    priceList: 'mistral',
    seedField: 'random_seed',
    streamUsage: 'always',
    toolChoiceRequired: 'any',
    toolCallId: { pattern: /^[a-zA-Z0-9]{9}$/, maxLength: 9 },
    toolResultName: true,
    unsupportedParams: ['topK', 'userId'],
    models: [
      // Magistral reasons always, and takes no effort.
      { pattern: /^magistral/, quirks: { reasoningIn: 'none' } },
    ],
  },
  xai: {
    baseURL: 'https://api.x.ai/v1',
    keyVariables: ['XAI_API_KEY'],
    priceList: 'x-ai',
    models: [
      {
        pattern: /^grok-3-mini/,
        quirks: {
          efforts: ['low', 'high'],
          unsupportedParams: ['topK', 'frequencyPenalty', 'presencePenalty', 'stop'],
        },
      },
      {
        pattern: /^grok-(?:4|code)/,
        quirks: {
          reasoningIn: 'none',
          unsupportedParams: ['topK', 'frequencyPenalty', 'presencePenalty', 'stop'],
        },
      },
      { pattern: /^grok-[23]/, quirks: { reasoningIn: 'none' } },
    ],
  },
  deepseek: {
    baseURL: 'https://api.deepseek.com',
    keyVariables: ['DEEPSEEK_API_KEY'],
    priceList: 'deepseek',
    structuredOutput: 'json_object',
    reasoningIn: 'thinking',
    efforts: ['low', 'high', 'max'],
    strictTools: false,
    unsupportedParams: ['topK', 'seed', 'frequencyPenalty', 'presencePenalty', 'userId'],
    capabilities: ['tools', 'structured-output'],
  },
  groq: {
    baseURL: 'https://api.groq.com/openai/v1',
    keyVariables: ['GROQ_API_KEY'],
    priceList: 'groq',
    maxTokensField: 'max_completion_tokens',
    toolsWithResponseFormat: false,
    models: [
      { pattern: /gpt-oss/, quirks: { efforts: ['low', 'medium', 'high'] } },
      { pattern: /llama-4|kimi-k2/, quirks: { reasoningIn: 'none' } },
      { pattern: /./, quirks: { reasoningIn: 'none', structuredOutput: 'json_object' } },
    ],
  },
  together: {
    baseURL: 'https://api.together.xyz/v1',
    keyVariables: ['TOGETHER_API_KEY'],
    priceList: 'together',
    strictTools: false,
    unsupportedParams: ['userId'],
  },
  fireworks: {
    baseURL: 'https://api.fireworks.ai/inference/v1',
    keyVariables: ['FIREWORKS_API_KEY'],
    priceList: 'fireworks',
    unsupportedParams: [],
  },
  cohere: {
    baseURL: 'https://api.cohere.ai/compatibility/v1',
    keyVariables: ['CO_API_KEY', 'COHERE_API_KEY'],
    priceList: 'cohere',
    systemRole: 'developer',
    // Its compatibility endpoint turns reasoning on or off, and knows no more.
    efforts: ['none', 'high'],
    toolChoiceNamed: false,
    unsupportedParams: ['topK', 'parallelToolCalls', 'userId'],
    capabilities: ['vision', 'tools', 'structured-output'],
  },
  ai21: {
    baseURL: 'https://api.ai21.com/studio/v1',
    keyVariables: ['AI21_API_KEY'],
    structuredOutput: 'json_object',
    reasoningIn: 'none',
    streamUsage: 'always',
    strictTools: false,
    unsupportedParams: ['topK', 'frequencyPenalty', 'presencePenalty', 'seed', 'userId'],
    capabilities: ['tools', 'structured-output'],
  },
  meta: {
    baseURL: 'https://api.meta.ai/v1',
    keyVariables: ['META_API_KEY', 'LLAMA_API_KEY'],
    capabilities: ['vision', 'tools', 'structured-output'],
  },
  openrouter: {
    baseURL: 'https://openrouter.ai/api/v1',
    keyVariables: ['OPENROUTER_API_KEY'],
    priceList: 'openrouter',
    reasoningIn: 'reasoning',
    unsupportedParams: [],
  },
  perplexity: {
    baseURL: 'https://api.perplexity.ai',
    keyVariables: ['PERPLEXITY_API_KEY'],
    priceList: 'perplexity',
    turns: 'alternate',
    systemTurns: 'first',
    streamUsage: 'always',
    reasoningIn: 'none',
    unsupportedParams: ['topK', 'stop', 'seed', 'userId', 'parallelToolCalls'],
    capabilities: ['vision', 'structured-output'],
  },
  moonshot: {
    baseURL: 'https://api.moonshot.ai/v1',
    keyVariables: ['MOONSHOT_API_KEY'],
    priceList: 'moonshotai',
    toolChoiceRequired: 'auto',
    reasoningIn: 'thinking',
    efforts: [],
    unsupportedParams: ['topK', 'seed', 'userId'],
    capabilities: ['vision', 'tools', 'structured-output'],
    models: [
      {
        // These refuse any sampling but their own.
        pattern: /^kimi-k(?:2\.[5-9]|[3-9])/,
        quirks: {
          unsupportedParams: [
            'topK',
            'seed',
            'userId',
            'temperature',
            'topP',
            'frequencyPenalty',
            'presencePenalty',
          ],
        },
      },
    ],
  },
  qwen: {
    baseURL: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
    keyVariables: ['DASHSCOPE_API_KEY'],
    reasoningIn: 'enable_thinking',
    strictTools: false,
    toolChoiceRequired: 'auto',
    unsupportedParams: ['frequencyPenalty', 'userId'],
    capabilities: ['vision', 'audio', 'tools', 'structured-output'],
  },
  cerebras: {
    baseURL: 'https://api.cerebras.ai/v1',
    keyVariables: ['CEREBRAS_API_KEY'],
    priceList: 'cerebras',
    maxTokensField: 'max_completion_tokens',
    toolsWithResponseFormat: false,
    unsupportedParams: ['topK', 'frequencyPenalty', 'presencePenalty'],
    capabilities: ['tools', 'structured-output'],
  },
  ollama: {
    baseURL: 'http://localhost:11434/v1',
    keyVariables: [],
    strictTools: false,
    toolChoiceRequired: 'auto',
    toolChoiceNamed: false,
    efforts: ['none', 'low', 'medium', 'high'],
    unsupportedParams: ['topK', 'parallelToolCalls', 'userId'],
    capabilities: ['vision', 'tools', 'structured-output'],
  },
  vllm: {
    baseURL: 'http://localhost:8000/v1',
    keyVariables: [],
    systemTurns: 'first',
    strictTools: false,
    unsupportedParams: ['parallelToolCalls', 'userId'],
  },
  llamacpp: {
    baseURL: 'http://localhost:8080/v1',
    keyVariables: [],
    systemTurns: 'first',
    strictTools: false,
    toolChoiceNamed: false,
    reasoningIn: 'none',
    unsupportedParams: ['userId'],
    capabilities: ['vision', 'audio', 'tools', 'structured-output'],
  },
  lmstudio: {
    baseURL: 'http://localhost:1234/v1',
    keyVariables: [],
    systemTurns: 'first',
    strictTools: false,
    toolChoiceNamed: false,
    efforts: ['none', 'low', 'medium', 'high'],
    unsupportedParams: ['parallelToolCalls', 'userId'],
    capabilities: ['vision', 'tools', 'structured-output'],
  },
} as const satisfies Record<ProfileName, Profile>;
