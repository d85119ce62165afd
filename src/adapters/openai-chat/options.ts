import type { OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';

/** How to connect to a Chat Completions API, of OpenAI or another vendor. */
export type OpenAIChatSettings = OpenAIConnectionSettings & {
  /**
   * The vendor's name in price lists. OpenAI's list contains only OpenAI's models. The cost of other models is `null`
   * unless you set their vendor's list here or their prices in the configuration's `prices`.
   * @default 'openai'
   */
  readonly priceList?: string;
};
