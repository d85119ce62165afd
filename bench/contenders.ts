import { createOpenAI } from '@ai-sdk/openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, streamText } from 'ai';
import { createFallback } from 'ai-fallback';
import OpenAI from 'openai';
import { createRouter, type Provider } from 'signalbox';
import { anthropic } from 'signalbox/anthropic';
import { google } from 'signalbox/google';
import { openai, openaiChat } from 'signalbox/openai';
import type { WireName } from './answers.ts';
import { bareSocket } from './socket.ts';

/** One client for one vendor. Both calls resolve to the number of characters received, as a check. */
export type Contender = {
  readonly name: string;
  complete(): Promise<number>;
  stream(): Promise<number>;
};

/** The vendor's bare SDK first, then signalbox, then other libraries, then the bare socket as lower bound. */
export type Race = { readonly wire: WireName; readonly contenders: readonly Contender[] };

const prompt = 'Describe the day of a fox in a few sentences.';
const key = 'test-key';
const messages = [{ role: 'user' as const, content: prompt }];
const models: Readonly<Record<WireName, string>> = {
  chat: 'gpt-5.4-mini',
  responses: 'gpt-5.4-mini',
  anthropic: 'claude-haiku-4-5',
  gemini: 'gemini-3-flash-preview',
};

function bareChat(baseURL: string): Contender {
  const client = new OpenAI({ apiKey: key, baseURL, maxRetries: 0 });
  const { completions } = client.chat;
  const model = models.chat;
  return {
    name: 'openai (SDK)',
    async complete() {
      const answer = await completions.create({ model, messages });
      return answer.choices[0]?.message.content?.length ?? 0;
    },
    async stream() {
      let length = 0;
      const body = { model, messages, stream_options: { include_usage: true } };
      for await (const chunk of await completions.create({ ...body, stream: true })) {
        length += chunk.choices[0]?.delta.content?.length ?? 0;
      }
      return length;
    },
  };
}

function bareResponses(baseURL: string): Contender {
  const { responses } = new OpenAI({ apiKey: key, baseURL, maxRetries: 0 });
  const body = { model: models.responses, input: prompt };
  return {
    name: 'openai (SDK)',
    complete: async () => (await responses.create(body)).output_text.length,
    async stream() {
      let length = 0;
      for await (const event of await responses.create({ ...body, stream: true })) {
        if (event.type === 'response.output_text.delta') length += event.delta.length;
      }
      return length;
    },
  };
}

function bareAnthropic(baseURL: string): Contender {
  const client = new Anthropic({ apiKey: key, baseURL, maxRetries: 0, logLevel: 'off' });
  const body = { model: models.anthropic, max_tokens: 1_000, messages };
  return {
    name: '@anthropic-ai/sdk',
    async complete() {
      const { content } = await client.messages.create(body);
      return content[0]?.type === 'text' ? content[0].text.length : 0;
    },
    async stream() {
      let length = 0;
      for await (const event of await client.messages.create({ ...body, stream: true })) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
          length += event.delta.text.length;
        }
      }
      return length;
    },
  };
}

function bareGoogle(baseUrl: string): Contender {
  const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl } });
  const params = { model: models.gemini, contents: prompt };
  return {
    name: '@google/genai',
    complete: async () => (await client.models.generateContent(params)).text?.length ?? 0,
    async stream() {
      let length = 0;
      for await (const chunk of await client.models.generateContentStream(params)) {
        length += chunk.text?.length ?? 0;
      }
      return length;
    },
  };
}

/** With a second target, so that the router has a choice. */
function signalbox(provider: Provider, wire: WireName): Contender {
  const router = createRouter({
    providers: { main: provider, spare: provider },
    tiers: { fast: { targets: [`main/${models[wire]}`, `spare/${models[wire]}`] } },
  });
  return {
    name: 'signalbox',
    complete: async () =>
      (await router.complete('fast', prompt, { transfer: 'unary' })).text.length,
    async stream() {
      let length = 0;
      for await (const part of router.stream('fast', prompt)) {
        if (part.type === 'text-delta') length += part.delta.length;
      }
      return length;
    },
  };
}

function aiFallback(baseURL: string): Contender {
  const vendor = createOpenAI({ apiKey: key, baseURL });
  const chat = () => vendor.chat(models.chat);
  const model = createFallback({ models: [chat(), chat()] });
  return {
    name: 'ai + ai-fallback',
    complete: async () => (await generateText({ model, prompt, maxRetries: 0 })).text.length,
    async stream() {
      let length = 0;
      for await (const text of streamText({ model, prompt, maxRetries: 0 }).textStream) {
        length += text.length;
      }
      return length;
    },
  };
}

function langchain(baseURL: string): Contender {
  const chat = () =>
    new ChatOpenAI({
      apiKey: key,
      model: models.chat,
      maxRetries: 0,
      useResponsesApi: false,
      configuration: { baseURL },
    });
  const model = chat().withFallbacks([chat()]);
  return {
    name: '@langchain/openai',
    complete: async () => String((await model.invoke(prompt)).content).length,
    async stream() {
      let length = 0;
      for await (const chunk of await model.stream(prompt)) length += String(chunk.content).length;
      return length;
    },
  };
}

/** Sends the same prompt as the other contenders, serialized in advance. */
function socket(base: string, wire: WireName): Contender {
  const gemini = `/v1beta/models/${models.gemini}`;
  const paths: Readonly<Record<WireName, readonly [string, string]>> = {
    chat: ['/v1/chat/completions', '/v1/chat/completions'],
    responses: ['/v1/responses', '/v1/responses'],
    anthropic: ['/v1/messages', '/v1/messages'],
    gemini: [`${gemini}:generateContent`, `${gemini}:streamGenerateContent?alt=sse`],
  };
  const [whole, streamed] = paths[wire];
  const body = { model: models[wire], messages };
  return bareSocket(
    base,
    { path: whole, body: JSON.stringify(body) },
    { path: streamed, body: JSON.stringify({ ...body, stream: true }) },
  );
}

/** All races against the vendors at `url`, whose streams have the given pace. */
export function racesAt(url: string, pace: string): readonly Race[] {
  const base = `${url}/${pace}`;
  const v1 = `${base}/v1`;
  const settings = { apiKey: key, baseURL: v1 };
  return [
    {
      wire: 'chat',
      contenders: [
        bareChat(v1),
        signalbox(openaiChat(settings), 'chat'),
        aiFallback(v1),
        langchain(v1),
        socket(base, 'chat'),
      ],
    },
    {
      wire: 'responses',
      contenders: [
        bareResponses(v1),
        signalbox(openai(settings), 'responses'),
        socket(base, 'responses'),
      ],
    },
    {
      wire: 'anthropic',
      contenders: [
        bareAnthropic(base),
        signalbox(anthropic({ apiKey: key, baseURL: base }), 'anthropic'),
        socket(base, 'anthropic'),
      ],
    },
    {
      wire: 'gemini',
      contenders: [
        bareGoogle(base),
        signalbox(google({ apiKey: key, baseURL: base }), 'gemini'),
        socket(base, 'gemini'),
      ],
    },
  ];
}
