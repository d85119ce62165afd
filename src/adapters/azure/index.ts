import { SignalboxError } from '../../errors.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { TransportSettings } from '../../transport/guarded-fetch.ts';
import { openAIFactsOf } from '../../wires/openai-shared/models.ts';
import type { ApiKey } from '../common/api-key.ts';
import {
  type AnswerSettings,
  answerShape,
  checkSettings,
  transportShape,
} from '../common/settings.ts';
import { type ChatDialect, chatProvider, openAIDialect } from '../openai-chat/index.ts';
import { responsesProvider } from '../openai-responses/index.ts';
import { type ConnectionRules, openAIConnection } from '../openai-shared/openai-client.ts';

/** How to reach Azure OpenAI. A model of yours is named by its deployment. */
export type AzureOpenAISettings = TransportSettings &
  AnswerSettings & {
    /** The name of the resource: its address is `https://<resource>.openai.azure.com`. */
    readonly resource?: string;
    /** The whole address of the resource instead, with or without `/openai/v1`. */
    readonly baseURL?: string;
    /**
     * A dated API version, `2024-10-21` or later: requests then go to `/openai/deployments/<deployment>`.
     * @default none: requests go to `/openai/v1`, which needs no version
     */
    readonly apiVersion?: string;
    /** Which of OpenAI's wires to speak. @default 'responses', or 'chat' with an `apiVersion` */
    readonly wire?: 'responses' | 'chat';
    /**
     * The key, or a function that gives the current one for each attempt; it travels as `api-key`.
     * @default the environment variable `AZURE_OPENAI_API_KEY`, read at each call; sent to Azure's own hosts
     * and to this machine only
     */
    readonly apiKey?: ApiKey;
    /** Gives a Microsoft Entra token for each attempt, in place of a key. Caching it is yours to do. */
    readonly token?: () => string | Promise<string>;
    /** Sent with every request, over signalbox's own. */
    readonly headers?: Readonly<Record<string, string>>;
    /** The vendor's name in price lists. @default 'azure' */
    readonly priceList?: string;
  };

const shape = {
  resource: 'string',
  baseURL: 'url',
  apiVersion: 'string',
  wire: ['responses', 'chat'],
  apiKey: 'key',
  token: 'function',
  headers: 'headers',
  ...transportShape,
  ...answerShape,
  priceList: 'string',
} as const;

/** What the name of a resource is made of; anything else would lead the key to another host. */
const resourceName = /^[a-z0-9][a-z0-9-]*$/i;

/** Microsoft's hosts for resources, in its public and national clouds. */
const keyHosts = ['azure.com', 'azure.us', 'azure.cn'].flatMap((cloud) => [
  `openai.${cloud}`,
  `cognitiveservices.${cloud}`,
  `services.ai.${cloud}`,
]);

/** The address up to `/openai`. */
function rootOf({ resource, baseURL }: AzureOpenAISettings): string {
  if ((resource === undefined) === (baseURL === undefined)) {
    throw new SignalboxError(
      'config',
      'azureOpenAI().resource: give the name of the resource, or its address as baseURL, and not both',
    );
  }
  if (baseURL !== undefined) {
    return `${baseURL.replace(/\/+$/, '').replace(/\/openai(?:\/v1)?$/, '')}/openai`;
  }
  if (resource === undefined || !resourceName.test(resource)) {
    throw new SignalboxError(
      'config',
      'azureOpenAI().resource: must be a name of letters, digits and hyphens',
    );
  }
  return `https://${resource}.openai.azure.com/openai`;
}

/** Facts go by the deployment's name, which most people give after the model. */
function dialectOf(deployment: string): ChatDialect {
  return { ...openAIDialect(deployment), systemRole: 'system', userField: 'user' };
}

/**
 * OpenAI's models on Azure, through its Responses API or Chat Completions. `provider/<deployment>` is a target.
 *
 * Loads the package `openai` at the first call. A missing key is an `auth` error of that call, so that other
 * targets can still answer. Reads no environment variable other than `AZURE_OPENAI_API_KEY`.
 *
 * @throws SignalboxError `config` for settings that are unknown, contradicting or malformed.
 */
export function azureOpenAI(settings: AzureOpenAISettings): Provider {
  checkSettings('azureOpenAI', settings, shape);
  const { apiVersion, apiKey, token, headers, fetch, dispatcher, priceList = 'azure' } = settings;
  const { maxAnswerBytes } = settings;
  const { wire = apiVersion === undefined ? 'responses' : 'chat' } = settings;
  if (apiKey !== undefined && token !== undefined) {
    throw new SignalboxError('config', 'azureOpenAI().token: cannot be set beside apiKey');
  }
  const root = rootOf(settings);
  const secret = token ?? apiKey;
  const rules: ConnectionRules = {
    key: 'required',
    keyVariables: ['AZURE_OPENAI_API_KEY'],
    keyHosts,
    ...(settings.baseURL !== undefined && { givenURL: settings.baseURL }),
    authHeader: token === undefined ? 'api-key' : 'authorization',
    keySetting: token === undefined ? 'apiKey' : 'token',
    baseURL: apiVersion === undefined ? `${root}/v1` : root,
    ...(apiVersion !== undefined && { query: { 'api-version': apiVersion } }),
  };
  const connectionSettings = {
    ...(secret !== undefined && { apiKey: secret }),
    ...(headers !== undefined && { headers }),
    fetch,
    dispatcher,
    maxAnswerBytes,
  };
  const pathOf = (deployment: string): string => `/deployments/${encodeURIComponent(deployment)}`;
  const chat = chatProvider({
    connection: openAIConnection('azureOpenAI', connectionSettings, {
      ...rules,
      ...(apiVersion !== undefined && { pathOf }),
    }),
    dialectOf,
    priceList,
    capabilities: (deployment) => openAIFactsOf(deployment).capabilities,
  });
  if (wire === 'chat') return chat;
  // With dated versions only Responses has no deployment in its path; all else has.
  const { prepareEmbedding, prepareImage } = chat;
  return {
    ...responsesProvider(openAIConnection('azureOpenAI', connectionSettings, rules), priceList),
    ...(prepareEmbedding !== undefined && { prepareEmbedding }),
    ...(prepareImage !== undefined && { prepareImage }),
  };
}
