import type { Capability, Provider } from '../../protocol/provider.ts';
import { compatibleDialect, openAIDialect } from '../../wires/openai-chat/dialect.ts';
import { openAIModelSpec } from '../../wires/openai-shared/models.ts';
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

/** The capabilities assumed for an unknown vendor. If it rejects a call, the next target is tried. */
export const compatibleCapabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

/**
 * Any API that is compatible with OpenAI's Chat Completions, set by its `baseURL`. The default is OpenAI, for which
 * `openai()` is the better choice.
 *
 * Loads the package `openai` at the first call. The only environment variable it reads is `OPENAI_API_KEY`, and only
 * for OpenAI's own hosts. Other hosts get `apiKey`, or `none`.
 *
 * @throws SignalboxError `config` when a setting is unknown or malformed.
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
      connection.isOpenAI ? openAIModelSpec(model).capabilities : compatibleCapabilities,
  });
}
