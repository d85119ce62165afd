import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai/web';
import OpenAI from 'openai';
import type { SimulatedProviders } from '../../src/testing/simulate-providers.ts';

export type Clients = {
  readonly openai: OpenAI;
  readonly compatible: OpenAI;
  readonly anthropic: Anthropic;
  readonly google: GoogleGenAI;
};

/** The vendors' SDKs, with the simulators' URLs and without retries. */
export function createClients(simulators: SimulatedProviders, apiKey = 'key'): Clients {
  const common = { apiKey, maxRetries: 0, logLevel: 'off' } as const;
  return {
    openai: new OpenAI({ ...common, baseURL: simulators.openai.baseURL }),
    compatible: new OpenAI({ ...common, baseURL: simulators.compatible.baseURL }),
    anthropic: new Anthropic({
      ...common,
      baseURL: simulators.anthropic.baseURL,
      openTelemetry: false,
    }),
    google: new GoogleGenAI({
      apiKey,
      vertexai: false,
      httpOptions: { baseUrl: simulators.google.baseURL },
    }),
  };
}

const prompt = 'Say hello.';
export const chatBody = {
  model: 'gpt-5.4',
  messages: [{ role: 'user' as const, content: prompt }],
};
export const messagesBody = {
  model: 'claude-haiku-4-5',
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: prompt }],
};
export const geminiBody = {
  model: 'gemini-3-flash',
  contents: prompt,
  config: { automaticContinuation: false },
};
export const responsesBody = { model: 'gpt-5.4', input: prompt };

/** Requests a stream on each wire, and yields the text of its events. */
export function textStreams(clients: Clients) {
  return {
    'openai-chat': async function* (signal?: AbortSignal) {
      const stream = await clients.openai.chat.completions.create(
        { ...chatBody, stream: true },
        { ...(signal && { signal }) },
      );
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? '';
    },
    'openai-responses': async function* (signal?: AbortSignal) {
      const stream = await clients.openai.responses.create(
        { ...responsesBody, stream: true },
        { ...(signal && { signal }) },
      );
      for await (const event of stream)
        yield event.type === 'response.output_text.delta' ? event.delta : '';
    },
    anthropic: async function* (signal?: AbortSignal) {
      const stream = await clients.anthropic.messages.create(
        { ...messagesBody, stream: true },
        { ...(signal && { signal }) },
      );
      for await (const event of stream)
        yield event.type === 'content_block_delta' && event.delta.type === 'text_delta'
          ? event.delta.text
          : '';
    },
    gemini: async function* (signal?: AbortSignal) {
      const stream = await clients.google.models.generateContentStream({
        ...geminiBody,
        config: { ...geminiBody.config, ...(signal && { abortSignal: signal }) },
      });
      for await (const chunk of stream)
        yield chunk.candidates?.[0]?.content?.parts?.[0]?.text ?? '';
    },
  } satisfies Record<string, (signal?: AbortSignal) => AsyncGenerator<string>>;
}

export const wires = ['openai-chat', 'openai-responses', 'anthropic', 'gemini'] as const;
export type WireName = (typeof wires)[number];

/** The simulator behind each wire. */
export function simulatorOf(wire: WireName, simulators: SimulatedProviders) {
  if (wire === 'anthropic') return simulators.anthropic;
  return wire === 'gemini' ? simulators.google : simulators.openai;
}

export type Outcome = { readonly text: string; readonly error?: unknown };

/** Reads a stream to its end, or to the error that ended it. */
export async function drain(stream: AsyncIterable<string>): Promise<Outcome> {
  let text = '';
  try {
    for await (const chunk of stream) text += chunk;
    return { text };
  } catch (error) {
    return { text, error };
  }
}

/** The error that a promise rejects with; fails when it does not. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}
