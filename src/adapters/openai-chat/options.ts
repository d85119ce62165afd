import type { OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';

/** How to reach an API that speaks Chat Completions, OpenAI's or another vendor's. */
export type OpenAIChatSettings = OpenAIConnectionSettings & {
  /**
   * The vendor's name in price lists. OpenAI's list knows OpenAI's models only, behind whatever proxy: another
   * vendor's cost `null` until its own list is named here, or `prices` of the configuration names its models.
   * @default 'openai'
   */
  readonly priceList?: string;
};
