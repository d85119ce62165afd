import type { Capability } from '../../protocol/provider.ts';
import type { ChatQuirks } from '../openai-chat/index.ts';

/** Models with quirks of their own, by a pattern of the name. */
export type ModelQuirks = { readonly pattern: RegExp; readonly quirks: Partial<ChatQuirks> };

/** What models can take, by a pattern of the name. */
export type ModelCapabilities = {
  readonly pattern: RegExp;
  readonly capabilities: readonly Capability[];
};

/** What sets a vendor of Chat Completions apart. All that is left out is as nearly all vendors have it. */
export type Profile = Partial<ChatQuirks> & {
  /** The address, with its version. */
  readonly baseURL?: string;
  /** The environment variables of its key, the preferred first; none for servers that want no key. */
  readonly keyVariables?: readonly string[];
  /**
   * Hosts other than that of `baseURL` that a key of these variables may go to, subdomains included. Every other
   * host gets a key only where it is set as `apiKey`.
   */
  readonly keyHosts?: readonly string[];
  /** The header of the key: `authorization` carries it as a bearer token, any other as it is. */
  readonly authHeader?: string;
  /** The vendor's name in price lists. */
  readonly priceList?: string;
  /** What its models can take, when that is less than usual. */
  readonly capabilities?: readonly Capability[];
  /** What single models can take, when that is something else; the first match counts. */
  readonly modelCapabilities?: readonly ModelCapabilities[];
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
