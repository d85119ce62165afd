import type { Capability } from '../../protocol/provider.ts';
import type { ChatQuirks, ModelQuirks } from '../openai-chat/index.ts';

/** The capabilities of models, by a pattern of the name. */
export type ModelCapabilities = {
  readonly pattern: RegExp;
  readonly capabilities: readonly Capability[];
};

type OptionalQuirks = { readonly [Name in keyof ChatQuirks]?: ChatQuirks[Name] | undefined };

/** The quirks of a vendor of Chat Completions. The defaults are right for nearly all vendors. */
export type Profile = OptionalQuirks & {
  /** The URL, including the version. */
  readonly baseURL?: string | undefined;
  /** The environment variables of the key, in order of preference. Empty for servers without a key. */
  readonly keyVariables?: readonly string[] | undefined;
  /**
   * Hosts that a key from these variables may be sent to, in addition to the host of `baseURL`, subdomains included.
   * Any other host gets a key only if it is set as `apiKey`.
   */
  readonly keyHosts?: readonly string[] | undefined;
  /** The header of the key. `authorization` sends it as a bearer token, any other header unchanged. */
  readonly authHeader?: string | undefined;
  /** The vendor's name in price lists. */
  readonly priceList?: string | undefined;
  /** The capabilities of its models, if they are fewer than usual. */
  readonly capabilities?: readonly Capability[] | undefined;
  /** Models with other capabilities. The first match wins. */
  readonly modelCapabilities?: readonly ModelCapabilities[] | undefined;
  /** Maximum values of one embedding request. @default 100 */
  readonly maxEmbeddingBatch?: number | undefined;
  /** Maximum tokens of all values of one embedding request together. @default no limit */
  readonly maxEmbeddingTokens?: number | undefined;
  /** Models with other quirks. The first match wins; its quirks override those of the vendor. */
  readonly models?: readonly ModelQuirks[] | undefined;
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
