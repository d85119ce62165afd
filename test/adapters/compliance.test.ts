import { describe, expect, it } from 'vitest';
import { fromAiSdk } from '../../src/ai-sdk.ts';
import { anthropic } from '../../src/anthropic.ts';
import { groq, openaiCompatible } from '../../src/compatible.ts';
import { google, vertex } from '../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import type { Compliance } from '../../src/protocol/requires.ts';

const client = {
  responses: { create: async () => undefined },
  chat: { completions: { create: async () => undefined } },
  embeddings: { create: async () => undefined },
  images: { generate: async () => undefined },
  withOptions: () => client,
};

const model = {
  specificationVersion: 'v3',
  provider: 'x.chat',
  modelId: 'm',
  doGenerate: async () => undefined,
  doStream: async () => undefined,
} as never;

/** Each factory with its other settings. */
const factories = {
  openai: (settings: object) => openai(settings),
  'openai with a client': (settings: object) => openai({ ...settings, client }),
  openaiChat: (settings: object) => openaiChat(settings),
  azureOpenAI: (settings: object) => azureOpenAI({ ...settings, resource: 'r' }),
  'azureOpenAI with chat': (settings: object) =>
    azureOpenAI({ ...settings, resource: 'r', wire: 'chat' }),
  anthropic: (settings: object) => anthropic(settings),
  google: (settings: object) => google(settings),
  vertex: (settings: object) => vertex({ ...settings, project: 'p' }),
  groq: (settings: object) => groq(settings),
  openaiCompatible: (settings: object) => openaiCompatible({ ...settings, profile: 'xai' }),
  fromAiSdk: (settings: object) => fromAiSdk(model, settings),
};

const compliance: Compliance = { region: 'eu', zeroRetention: true };

describe.each(Object.entries(factories))('compliance of %s', (_, factory) => {
  it('is a field of the provider, and absent by default', () => {
    expect(factory({ compliance }).compliance).toEqual(compliance);
    expect(factory({})).not.toHaveProperty('compliance');
  });

  it('rejects fields that declare nothing', () => {
    const problem = /\.compliance: must be an object that can contain region/;
    expect(() => factory({ compliance: { zeroRetentoin: true } })).toThrow(problem);
    expect(() => factory({ compliance: { region: 1 } })).toThrow(problem);
  });
});
