import { SignalboxError } from '../../errors.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { TransportSettings } from '../../transport/guarded-fetch.ts';
import { openAIModelSpec } from '../../wires/openai-shared/models.ts';
import type { ApiKey } from '../common/keys.ts';
import {
  checkSettings,
  type ProviderSettings,
  providerShape,
  transportOf,
  transportShape,
} from '../common/settings.ts';
import { type ChatDialect, chatProvider, openAIDialect } from '../openai-chat/index.ts';
import { responsesProvider } from '../openai-responses/index.ts';
import { type ConnectionRules, openAIConnection } from '../openai-shared/openai-client.ts';

/** How to connect to Azure OpenAI. A model is named by its deployment. */
export type AzureOpenAISettings = TransportSettings &
  ProviderSettings & {
    /** The name of the resource. Its URL is `https://<resource>.openai.azure.com`. */
    readonly resource?: string | undefined;
    /** The URL of the resource, instead of its name. With or without `/openai/v1`. */
    readonly baseURL?: string | undefined;
    /**
     * A dated API version, `2024-10-21` or later. Requests then go to `/openai/deployments/<deployment>`.
     * @default none: requests go to `/openai/v1`, which has no version
     */
    readonly apiVersion?: string | undefined;
    /** Which of OpenAI's wires to use. @default 'responses', or 'chat' with an `apiVersion` */
    readonly wire?: 'responses' | 'chat' | undefined;
    /**
     * The key, or a function that returns the current one for each attempt, or the one for the call's tags. It is sent in the header `api-key`.
     * @default the environment variable `AZURE_OPENAI_API_KEY`, read at each call; sent only to Azure's hosts and to
     * this machine
     */
    readonly apiKey?: ApiKey | undefined;
    /** Returns a Microsoft Entra token, instead of a key. Called for each attempt, so cache the token. */
    readonly token?: (() => string | Promise<string>) | undefined;
    /** Sent with every request. They override signalbox's headers. */
    readonly headers?: Readonly<Record<string, string>> | undefined;
    /** The vendor's name in price lists. @default 'azure' */
    readonly priceList?: string | undefined;
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
  ...providerShape,
  priceList: 'string',
} as const;

/** The format of a resource name. Other characters could send the key to another host. */
const resourceName = /^[a-z0-9][a-z0-9-]*$/i;

/** Microsoft's hosts for resources, in the public and national clouds. */
const keyHosts = ['azure.com', 'azure.us', 'azure.cn'].flatMap((cloud) => [
  `openai.${cloud}`,
  `cognitiveservices.${cloud}`,
  `services.ai.${cloud}`,
]);

/** The URL up to `/openai`. */
function rootOf({ resource, baseURL }: AzureOpenAISettings): string {
  if ((resource === undefined) === (baseURL === undefined)) {
    throw new SignalboxError(
      'config',
      'azureOpenAI().resource: set either resource (its name) or baseURL (its URL)',
    );
  }
  if (baseURL !== undefined) {
    return `${baseURL.replace(/\/+$/, '').replace(/\/openai(?:\/v1)?$/, '')}/openai`;
  }
  if (resource === undefined || !resourceName.test(resource)) {
    throw new SignalboxError(
      'config',
      'azureOpenAI().resource: must contain only letters, digits and hyphens',
    );
  }
  return `https://${resource}.openai.azure.com/openai`;
}

/** The spec is chosen by the name of the deployment, which is usually that of the model. */
function dialectOf(deployment: string): ChatDialect {
  return { ...openAIDialect(deployment), systemRole: 'system', userField: 'user' };
}

/**
 * OpenAI's models on Azure, through the Responses API or Chat Completions. A target is `provider/<deployment>`.
 *
 * Loads the package `openai` at the first call. A missing key fails that call with an `auth` error, so that other
 * targets can still answer. The only environment variable it reads is `AZURE_OPENAI_API_KEY`.
 *
 * @throws SignalboxError `config` when a setting is unknown, conflicting or malformed.
 */
export function azureOpenAI(settings: AzureOpenAISettings): Provider {
  checkSettings('azureOpenAI', settings, shape);
  const { apiVersion, apiKey, token, headers, priceList = 'azure' } = settings;
  const { maxAnswerBytes, compliance } = settings;
  const { wire = apiVersion === undefined ? 'responses' : 'chat' } = settings;
  if (apiKey !== undefined && token !== undefined) {
    throw new SignalboxError('config', 'azureOpenAI().token: cannot be set together with apiKey');
  }
  const root = rootOf(settings);
  // A token is the application's, so the function for it gets no tags.
  const secret = token === undefined ? apiKey : () => token();
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
    ...transportOf(settings),
    maxAnswerBytes,
    compliance,
  };
  const pathOf = (deployment: string): string => `/deployments/${encodeURIComponent(deployment)}`;
  const chat = chatProvider({
    connection: openAIConnection('azureOpenAI', connectionSettings, {
      ...rules,
      ...(apiVersion !== undefined && { pathOf }),
    }),
    dialectOf,
    priceList,
    capabilities: (deployment) => openAIModelSpec(deployment).capabilities,
    outputLimit: (deployment) => openAIModelSpec(deployment).outputLimit,
  });
  if (wire === 'chat') return chat;
  // With dated versions, every path has the deployment except that of the Responses API.
  const { prepareEmbedding, prepareImage } = chat;
  return {
    ...responsesProvider(openAIConnection('azureOpenAI', connectionSettings, rules), priceList),
    ...(prepareEmbedding !== undefined && { prepareEmbedding }),
    ...(prepareImage !== undefined && { prepareImage }),
  };
}
