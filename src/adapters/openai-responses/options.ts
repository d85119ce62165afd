import type { OpenAIConnectionSettings } from '../openai-shared/openai-client.ts';

/** How to connect to OpenAI's Responses API: with a key, or through a client you created. */
export type OpenAISettings = OpenAIConnectionSettings & {
  /** The vendor's name in price lists. For the client of a cloud: 'aws', 'google', 'azure'. @default 'openai' */
  readonly priceList?: string;
};
