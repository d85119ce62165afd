import { modelsWithOpenedTags } from '../openai-chat/index.ts';
import { modelCapabilities } from './model-capabilities.ts';
import type { Profile, ProfileName } from './profile.ts';

/** Recent Kimi models reject all sampling parameters. */
const kimiUnsupportedParams = [
  'topK',
  'seed',
  'userId',
  'temperature',
  'topP',
  'frequencyPenalty',
  'presencePenalty',
] as const;

/**
 * The profiles of all vendors. Compiled in November 2026 from the vendors' documentation and from other clients.
 * docs/providers.md lists what was checked against recorded answers.
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
    afterToolResults: 'assistant',
    unsupportedParams: ['topK', 'userId'],
    models: [
      // Magistral always reasons and accepts no effort.
      { pattern: /^magistral/, quirks: { reasoningIn: 'none' } },
    ],
    modelCapabilities: modelCapabilities.mistral,
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
    modelCapabilities: modelCapabilities.xai,
    capabilities: ['vision', 'tools', 'structured-output'],
  },
  deepseek: {
    baseURL: 'https://api.deepseek.com',
    keyVariables: ['DEEPSEEK_API_KEY'],
    priceList: 'deepseek',
    structuredOutput: 'json_object',
    reasoningIn: 'thinking',
    thinkingDefault: 'on',
    thinkingExcludes: ['forced-tool'],
    efforts: ['low', 'high', 'max'],
    echoReasoning: 'tool-turns',
    strictTools: false,
    unsupportedParams: ['topK', 'seed', 'frequencyPenalty', 'presencePenalty', 'userId'],
    capabilities: ['tools', 'structured-output'],
    models: [
      // The other names are aliases without thinking.
      { pattern: /v[4-9]/, quirks: { callsWithoutReasoning: 'stand-in' } },
      {
        pattern: /reasoner/,
        quirks: { thinkingDefault: 'always', callsWithoutReasoning: 'stand-in' },
      },
      { pattern: /^deepseek-chat/, quirks: { thinkingDefault: 'off' } },
    ],
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
    modelCapabilities: modelCapabilities.groq,
    capabilities: ['vision', 'tools', 'structured-output'],
  },
  together: {
    baseURL: 'https://api.together.xyz/v1',
    keyVariables: ['TOGETHER_API_KEY'],
    keyHosts: ['api.together.ai'],
    priceList: 'together',
    strictTools: false,
    unsupportedParams: ['userId'],
    models: modelsWithOpenedTags,
    modelCapabilities: modelCapabilities.openWeights,
  },
  fireworks: {
    baseURL: 'https://api.fireworks.ai/inference/v1',
    keyVariables: ['FIREWORKS_API_KEY'],
    priceList: 'fireworks',
    unsupportedParams: [],
    models: modelsWithOpenedTags,
    modelCapabilities: modelCapabilities.openWeights,
  },
  cohere: {
    baseURL: 'https://api.cohere.ai/compatibility/v1',
    keyVariables: ['CO_API_KEY', 'COHERE_API_KEY'],
    keyHosts: ['api.cohere.com'],
    priceList: 'cohere',
    systemRole: 'developer',
    // Its compatibility endpoint can only turn reasoning on or off.
    efforts: ['none', 'high'],
    toolChoiceNamed: false,
    unsupportedParams: ['topK', 'parallelToolCalls', 'userId'],
    capabilities: ['vision', 'tools', 'structured-output'],
    modelCapabilities: modelCapabilities.cohere,
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
    keyHosts: ['api.llama.com'],
    capabilities: ['vision', 'files', 'tools', 'structured-output'],
    // Muse Spark always reasons.
    efforts: ['minimal', 'low', 'medium', 'high', 'xhigh'],
  },
  openrouter: {
    baseURL: 'https://openrouter.ai/api/v1',
    keyVariables: ['OPENROUTER_API_KEY'],
    priceList: 'openrouter',
    reasoningIn: 'reasoning',
    // It signs calls itself.
    unsignedCalls: 'accepted',
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
    keyHosts: ['api.moonshot.cn'],
    priceList: 'moonshotai',
    toolChoiceRequired: 'auto',
    reasoningIn: 'thinking',
    thinkingExcludes: ['forced-tool'],
    efforts: [],
    echoReasoning: 'tool-turns',
    unsupportedParams: ['topK', 'seed', 'userId'],
    capabilities: ['vision', 'tools', 'structured-output'],
    models: [
      {
        pattern: /^kimi-k2\.[56]/,
        quirks: {
          thinkingDefault: 'on',
          callsWithoutReasoning: 'stand-in',
          unsupportedParams: kimiUnsupportedParams,
        },
      },
      {
        // Whether thinking can be turned off is not known.
        pattern: /^kimi-k(?:2\.[7-9]|[3-9])/,
        quirks: {
          thinkingDefault: 'always',
          callsWithoutReasoning: 'stand-in',
          unsupportedParams: kimiUnsupportedParams,
        },
      },
      {
        pattern: /thinking/,
        quirks: { thinkingDefault: 'always', callsWithoutReasoning: 'stand-in' },
      },
    ],
    modelCapabilities: modelCapabilities.moonshot,
  },
  qwen: {
    baseURL: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
    keyVariables: ['DASHSCOPE_API_KEY'],
    keyHosts: ['dashscope.aliyuncs.com', 'dashscope-us.aliyuncs.com'],
    reasoningIn: 'enable_thinking',
    thinkingExcludes: ['forced-tool', 'schema', 'unary'],
    strictTools: false,
    toolChoiceRequired: 'auto',
    unsupportedParams: ['frequencyPenalty', 'userId'],
    capabilities: ['vision', 'audio', 'tools', 'structured-output'],
    models: [
      { pattern: /thinking|^qwq|^qvq/, quirks: { thinkingDefault: 'always' } },
      { pattern: /instruct|coder/, quirks: { thinkingDefault: 'off' } },
      // Open-weight Qwen 3, and all later models.
      { pattern: /^qwen(?:3-\d|3-next|3\.[5-9]|[4-9])/, quirks: { thinkingDefault: 'on' } },
    ],
    modelCapabilities: modelCapabilities.qwen,
  },
  cerebras: {
    baseURL: 'https://api.cerebras.ai/v1',
    keyVariables: ['CEREBRAS_API_KEY'],
    priceList: 'cerebras',
    maxTokensField: 'max_completion_tokens',
    toolsWithResponseFormat: false,
    unsupportedParams: ['topK', 'frequencyPenalty', 'presencePenalty'],
    capabilities: ['tools', 'structured-output'],
    bareRefusal: 'context_length',
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
    modelCapabilities: modelCapabilities.openWeights,
  },
  vllm: {
    baseURL: 'http://localhost:8000/v1',
    keyVariables: [],
    systemTurns: 'first',
    strictTools: false,
    unsupportedParams: ['parallelToolCalls', 'userId'],
    models: modelsWithOpenedTags,
    modelCapabilities: modelCapabilities.openWeights,
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
    models: modelsWithOpenedTags,
    modelCapabilities: modelCapabilities.openWeights,
  },
  lmstudio: {
    baseURL: 'http://localhost:1234/v1',
    keyVariables: [],
    systemTurns: 'first',
    strictTools: false,
    toolChoiceNamed: false,
    efforts: ['none', 'low', 'medium', 'high', 'xhigh'],
    unsupportedParams: ['parallelToolCalls', 'userId'],
    capabilities: ['vision', 'tools', 'structured-output'],
    models: modelsWithOpenedTags,
    modelCapabilities: modelCapabilities.openWeights,
  },
} as const satisfies Record<ProfileName, Profile>;
