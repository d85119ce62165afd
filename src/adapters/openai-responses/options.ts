import type { OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';

/** How to reach OpenAI's Responses API: with a key, or through a client you made. */
export type OpenAISettings = OpenAIConnectionSettings & {
  /** The vendor's name in price lists, for a client of a cloud: 'aws', 'google', 'azure'. @default 'openai' */
  readonly priceList?: string;
};
