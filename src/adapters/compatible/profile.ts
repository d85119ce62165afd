import type { Capability } from '../../protocol/provider.ts';
import type { ChatQuirks, ModelQuirks } from '../openai-chat/index.ts';

/** The capabilities of models, by a pattern of the name. */
export type ModelCapabilities = {
  readonly pattern: RegExp;
  readonly capabilities: readonly Capability[];
};

/** The quirks of a vendor of Chat Completions. The defaults are right for nearly all vendors. */
export type Profile = Partial<ChatQuirks> & {
  /** The URL, including the version. */
  readonly baseURL?: string;
  /** The environment variables of the key, in order of preference. Empty for servers without a key. */
  readonly keyVariables?: readonly string[];
  /**
   * Hosts that a key from these variables may be sent to, in addition to the host of `baseURL`, subdomains included.
   * Any other host gets a key only if it is set as `apiKey`.
   */
  readonly keyHosts?: readonly string[];
  /** The header of the key. `authorization` sends it as a bearer token, any other header unchanged. */
  readonly authHeader?: string;
  /** The vendor's name in price lists. */
  readonly priceList?: string;
  /** The capabilities of its models, if they are fewer than usual. */
  readonly capabilities?: readonly Capability[];
  /** Models with other capabilities. The first match wins. */
  readonly modelCapabilities?: readonly ModelCapabilities[];
  /** Maximum values of one embedding request. @default 100 */
  readonly maxEmbeddingBatch?: number;
  /** Maximum tokens of all values of one embedding request together. @default no limit */
  readonly maxEmbeddingTokens?: number;
  /** Models with other quirks. The first match wins; its quirks override those of the vendor. */
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
