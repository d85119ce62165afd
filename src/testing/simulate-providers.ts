import { anthropicWire } from '../wires/anthropic/write.ts';
import { geminiEmbeddingsWire, geminiWire } from '../wires/gemini/write.ts';
import {
  compatibleChatWire,
  openaiChatWire,
  openaiEmbeddingsWire,
  openaiImagesWire,
} from '../wires/openai-chat/write.ts';
import { openaiResponsesWire } from '../wires/openai-responses/write.ts';
import { checkOptions } from './check-arguments.ts';
import type { SimulatedProviderOptions, SimulatedVendor } from './simulator/script.ts';
import { type SimulatedProvider, startProvider } from './simulator/server.ts';

export type {
  ReceivedRequest as SimulatedRequest,
  VendorErrorKind as SimulatedErrorKind,
  WrittenWire as SimulatedWireName,
} from '../wires/common/write.ts';
export type {
  SimulatedAnswer,
  SimulatedToolCall,
  SimulatedUsage,
} from './simulator/answer.ts';
export type { LoggedRequest } from './simulator/exchange.ts';
export type {
  Fault,
  FaultOptions,
  SingleFault,
  StatusFault,
} from './simulator/faults.ts';
export type { AnswerSource, SimulatedProviderOptions } from './simulator/script.ts';
export type { SimulatedProvider } from './simulator/server.ts';

export type SimulateProvidersOptions = {
  readonly openai?: SimulatedProviderOptions | undefined;
  readonly anthropic?: SimulatedProviderOptions | undefined;
  readonly google?: SimulatedProviderOptions | undefined;
  readonly compatible?: SimulatedProviderOptions | undefined;
};

/** Four vendors on loopback, each on its own port. */
export interface SimulatedProviders {
  /** OpenAI: Responses and Chat Completions on the same server. */
  readonly openai: SimulatedProvider;
  readonly anthropic: SimulatedProvider;
  /** Google: `generateContent` and `streamGenerateContent?alt=sse` under any version, including Vertex paths. */
  readonly google: SimulatedProvider;
  /** A vendor with an API that is compatible with OpenAI's Chat Completions. */
  readonly compatible: SimulatedProvider;
  /** Restores the initial state of all four. */
  reset(): void;
  /** Closes all sockets and stops the servers. Running answers are cut. */
  close(): Promise<void>;
}

const vendors = {
  openai: {
    name: 'openai',
    wires: [openaiResponsesWire, openaiChatWire, openaiEmbeddingsWire, openaiImagesWire],
    basePath: '/v1',
  },
  anthropic: { name: 'anthropic', wires: [anthropicWire], basePath: '' },
  google: { name: 'google', wires: [geminiWire, geminiEmbeddingsWire], basePath: '' },
  compatible: {
    name: 'compatible',
    wires: [compatibleChatWire, openaiEmbeddingsWire, openaiImagesWire],
    basePath: '/v1',
  },
} as const satisfies Record<string, SimulatedVendor>;

/**
 * Starts HTTP servers on 127.0.0.1 that implement the vendors' wires, for tests with the real SDKs: streams and unary
 * answers, tools, reasoning, structured output, usage, errors with each vendor's body and headers, and faults on demand.
 *
 * They do not read prompts, count real tokens, fetch files, or keep state between requests. They check only that a
 * request has a key, a model and messages, and what the vendor is known to reject immediately. The servers keep the
 * process alive until `close()`.
 */
export async function simulateProviders(
  options: SimulateProvidersOptions = {},
): Promise<SimulatedProviders> {
  checkOptions('simulateProviders()', options, Object.keys(vendors));
  for (const [name, each] of Object.entries(options)) {
    if (each !== undefined) {
      checkOptions(`simulateProviders().${name}`, each, ['models', 'badKeys']);
    }
  }
  const [openai, anthropic, google, compatible] = await Promise.all([
    startProvider(vendors.openai, options.openai ?? {}),
    startProvider(vendors.anthropic, options.anthropic ?? {}),
    startProvider(vendors.google, options.google ?? {}),
    startProvider(vendors.compatible, options.compatible ?? {}),
  ]);
  const all = [openai, anthropic, google, compatible];
  return {
    openai: openai.provider,
    anthropic: anthropic.provider,
    google: google.provider,
    compatible: compatible.provider,
    reset: () => {
      for (const { provider } of all) provider.reset();
    },
    close: async () => {
      await Promise.all(all.map((each) => each.close()));
    },
  };
}
