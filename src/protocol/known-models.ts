/**
 * Models that editors complete in a target, under the usual name of their provider. Any other one is accepted too. Only
 * models that the price lists have, and that no vendor is about to retire: a test fails for others.
 */
type KnownModels = {
  anthropic:
    | 'claude-fable-5'
    | 'claude-fable-5-1'
    | 'claude-haiku-4-5'
    | 'claude-opus-4-6'
    | 'claude-opus-4-7'
    | 'claude-opus-4-8'
    | 'claude-opus-5'
    | 'claude-opus-5-5'
    | 'claude-sonnet-4-6'
    | 'claude-sonnet-5'
    | 'claude-sonnet-5-5';
  cohere: 'command-a-03-2025' | 'command-r7b-12-2024' | 'embed-v4.0';
  deepseek: 'deepseek-chat' | 'deepseek-reasoner' | 'deepseek-v4-flash' | 'deepseek-v4-pro';
  fireworks:
    | 'accounts/fireworks/models/deepseek-v4-pro'
    | 'accounts/fireworks/models/gpt-oss-120b'
    | 'accounts/fireworks/models/kimi-k3'
    | 'accounts/fireworks/models/minimax-m3';
  google:
    | 'gemini-2.5-flash-lite'
    | 'gemini-3-flash-preview'
    | 'gemini-3-pro-image'
    | 'gemini-3.1-flash-image'
    | 'gemini-3.1-flash-lite'
    | 'gemini-3.1-pro-preview'
    | 'gemini-3.5-flash'
    | 'gemini-3.5-flash-lite'
    | 'gemini-3.6-flash'
    | 'gemini-3.7-flash'
    | 'gemini-3.8-flash'
    | 'gemini-embedding-001'
    | 'gemini-embedding-2'
    | 'gemma-4-26b-a4b-it'
    | 'gemma-4-31b-it';
  groq:
    | 'meta-llama/llama-4-maverick-17b-128e-instruct'
    | 'meta-llama/llama-4-scout-17b-16e-instruct'
    | 'openai/gpt-oss-120b'
    | 'openai/gpt-oss-20b'
    | 'qwen/qwen3-32b';
  meta: 'muse-spark-1.1' | 'muse-spark-1.2' | 'muse-spark-1.3' | 'muse-spark-1.3-contributor';
  mistral:
    | 'codestral-latest'
    | 'devstral-latest'
    | 'magistral-medium-latest'
    | 'ministral-14b-latest'
    | 'ministral-3b-latest'
    | 'ministral-8b-latest'
    | 'mistral-embed'
    | 'mistral-large-latest'
    | 'mistral-medium-latest'
    | 'mistral-small-latest';
  moonshot: 'kimi-k2.5' | 'kimi-k2.6' | 'kimi-k2.7-code' | 'kimi-k3';
  openai:
    | 'gpt-5.2'
    | 'gpt-5.2-pro'
    | 'gpt-5.4'
    | 'gpt-5.4-mini'
    | 'gpt-5.4-nano'
    | 'gpt-5.4-pro'
    | 'gpt-5.5'
    | 'gpt-5.5-pro'
    | 'gpt-5.6-luna'
    | 'gpt-5.6-sol'
    | 'gpt-5.6-terra'
    | 'gpt-6-astra'
    | 'gpt-6-luna'
    | 'gpt-6-sol'
    | 'gpt-image-2'
    | 'text-embedding-3-large'
    | 'text-embedding-3-small';
  openrouter:
    | 'anthropic/claude-sonnet-4.6'
    | 'google/gemma-4-31b-it'
    | 'meta-llama/llama-4-maverick'
    | 'mistralai/mistral-large-2512'
    | 'openai/gpt-5.4'
    | 'x-ai/grok-4.3';
  perplexity: 'sonar' | 'sonar-deep-research' | 'sonar-pro' | 'sonar-reasoning-pro';
  together:
    | 'meta-llama/Llama-3.3-70B-Instruct-Turbo'
    | 'meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8'
    | 'meta-llama/Llama-4-Scout-17B-16E-Instruct';
  xai: 'grok-4.20-non-reasoning' | 'grok-4.20-reasoning' | 'grok-4.3' | 'grok-4.5' | 'grok-4.6';
};

/** The known targets of the providers that have a usual name. */
export type KnownTarget<Provider extends string> = {
  [Name in keyof KnownModels & Provider]: `${Name}/${KnownModels[Name]}`;
}[keyof KnownModels & Provider];
