import type { Capability, Provider } from '../../protocol/provider.ts';
import { compatibleDialect, openAIDialect } from '../../wires/openai-chat/dialect.ts';
import { openAIFactsOf } from '../../wires/openai-shared/models.ts';
import { checkSettings } from '../common/settings.ts';
import { connectionShape, openAIConnection } from '../openai-shared/openai-client.ts';
import { chatProvider } from './chat-provider.ts';
import type { OpenAIChatSettings } from './options.ts';

export {
  type ChatDialect,
  type ChatQuirks,
  compatibleDialect,
  openAIDialect,
} from '../../wires/openai-chat/dialect.ts';
export { chatProvider } from './chat-provider.ts';
export type { OpenAIChatSettings } from './options.ts';

/** What an unknown vendor is taken to do: a call it cannot take is its to refuse, and the next target's. */
export const compatibleCapabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

/**
 * Any API that speaks OpenAI's Chat Completions, by its `baseURL`; OpenAI's own by default, where `openai()`
 * is the better choice.
 *
 * Loads the package `openai` at the first call. Reads no environment variable other than `OPENAI_API_KEY`,
 * and that one only for OpenAI itself: other vendors are sent the key that they are given, or `none`.
 *
 * @throws SignalboxError `config` for settings that are unknown or malformed.
 */
export function openaiChat(settings: OpenAIChatSettings = {}): Provider {
  checkSettings('openaiChat', settings, { ...connectionShape, priceList: 'string' });
  const { priceList = 'openai', ...connectionSettings } = settings;
  const connection = openAIConnection('openaiChat', connectionSettings, {
    key: 'optional-elsewhere',
  });
  return chatProvider({
    connection,
    dialectOf: (model) => (connection.isOpenAI ? openAIDialect(model) : compatibleDialect()),
    priceList,
    capabilities: (model) =>
      connection.isOpenAI ? openAIFactsOf(model).capabilities : compatibleCapabilities,
  });
}
