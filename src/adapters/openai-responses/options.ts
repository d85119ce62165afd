import type { OpenAIConnectionSettings } from '../common/openai-client.ts';

/** How to reach OpenAI's Responses API: with a key, or through a client you made. */
export type OpenAISettings = OpenAIConnectionSettings;
