import { Anthropic } from '@anthropic-ai/sdk';
import { OpenAI } from 'openai';
import { describe, expect, it } from 'vitest';
import { anthropic } from '../../../src/anthropic.ts';
import { groq, openaiCompatible } from '../../../src/compatible.ts';
import { google, vertex } from '../../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../../src/openai.ts';

describe('an unknown setting', () => {
  it.each<[string, () => unknown, string]>([
    [
      'a typo',
      () => openai({ apikey: 'k' } as never),
      'openai().apikey: unknown setting; did you mean "apiKey"?',
    ],
    [
      'another case',
      () => anthropic({ baseUrl: 'https://x' } as never),
      'anthropic().baseUrl: unknown setting; did you mean "baseURL"?',
    ],
    [
      'snake case',
      () => google({ api_key: 'k' } as never),
      'google().api_key: unknown setting; did you mean "apiKey"?',
    ],
    [
      'a name of another library',
      () => openaiChat({ endpoint: 'https://x' } as never),
      'openaiChat().endpoint: unknown setting; did you mean "baseURL"?',
    ],
    [
      'a name of the SDK',
      () => openai({ default_headers: {} } as never),
      'openai().default_headers: unknown setting; did you mean "headers"?',
    ],
    [
      'a name of Azure',
      () => azureOpenAI({ resourceName: 'r' } as never),
      'azureOpenAI().resourceName: unknown setting; did you mean "resource"?',
    ],
    [
      'a name of Vertex',
      () => vertex({ project: 'p', region: 'eu' } as never),
      'vertex().region: unknown setting; did you mean "location"?',
    ],
    [
      'a timeout',
      () => openai({ timeout: 5 } as never),
      'openai().timeout: unknown setting; timeouts are set by a tier or a call: timeouts.totalMs',
    ],
    [
      'retries',
      () => groq({ maxRetries: 2 } as never),
      'groq().maxRetries: unknown setting; retries are set by a tier or a call: retry.attempts',
    ],
    [
      'a model',
      () => anthropic({ model: 'm' } as never),
      'anthropic().model: unknown setting; a model is part of a target',
    ],
    [
      'a quirk',
      () => openaiCompatible({ profile: { turn: 'free' } as never }),
      'openaiCompatible().profile.turn: unknown setting; did you mean "turns"?',
    ],
    [
      'another name',
      () => openai({ favouriteColour: 'red' } as never),
      'openai().favouriteColour: unknown setting; the known settings are apiKey, baseURL',
    ],
  ])('that is %s gets advice', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

describe('a client in place of the settings', () => {
  it.each<[string, () => unknown]>([
    ['openai', () => openai(new OpenAI({ apiKey: 'sk-secret' }) as never)],
    ['anthropic', () => anthropic(new Anthropic({ apiKey: 'sk-secret' }) as never)],
  ])('is one line for %s', (factory, make) => {
    expect(make).toThrow(
      new RegExp(
        `^${factory}\\(\\): settings must be a plain object, not an instance of a class; pass a client as { client }$`,
      ),
    );
  });

  it('does not reject settings that a class made', () => {
    class Settings {
      readonly apiKey = 'k';
    }
    expect(openai(new Settings()).keyCount).toBe(1);
  });
});
