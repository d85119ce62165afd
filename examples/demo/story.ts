import { fakeRuntime, type SimulatedProvider } from 'signalbox/testing';
import type { Vendor } from './vendors.ts';

export type DemoTier = 'fast' | 'cheap-summarize' | 'frontier-reasoning';
export type Feature = 'search' | 'support' | 'digest';

export type DemoRequest = {
  readonly number: number;
  readonly tier: DemoTier;
  readonly feature: Feature;
  readonly mode: 'complete' | 'stream';
  readonly prompt: string;
};

export type Chapter = {
  readonly title: string;
  readonly requests: number;
  /** The injected fault. */
  readonly trouble?: {
    readonly vendor: Vendor;
    readonly begin: (simulator: SimulatedProvider) => void;
  };
  /** The target that the configuration file then has first in the tier `fast`. */
  readonly preferredInFast?: string;
};

export const chapters: readonly Chapter[] = [
  { title: 'all three vendors are healthy', requests: 10 },
  {
    title: 'anthropic is overloaded at times: 529',
    requests: 10,
    trouble: {
      vendor: 'anthropic',
      begin: (simulator) => {
        const overloaded = { type: 'status', kind: 'overloaded' } as const;
        const faults = [overloaded, 'ok', overloaded, overloaded] as const;
        simulator.fault({ type: 'sequence', faults });
      },
    },
  },
  {
    title: 'openai goes down: every connection is reset',
    requests: 18,
    trouble: { vendor: 'openai', begin: (simulator) => simulator.down() },
  },
  { title: 'openai is back', requests: 12 },
  {
    title: 'openai throttles: 429 with Retry-After: 1',
    requests: 16,
    trouble: {
      vendor: 'openai',
      begin: (simulator) => {
        const limited = { type: 'status', kind: 'rate_limited', retryAfterSeconds: 1 } as const;
        simulator.fault(limited, { times: 3 });
      },
    },
  },
  {
    title: 'openai stalls in the middle of its answers',
    requests: 14,
    trouble: {
      vendor: 'openai',
      begin: (simulator) => {
        simulator.fault({ type: 'stall', afterEvents: 8 });
      },
    },
  },
  { title: 'openai is back', requests: 12 },
  {
    title: 'an operator edits routing.yaml: google is the first target of "fast"',
    requests: 8,
    preferredInFast: 'google/gemini-3-flash-preview',
  },
];

type Kind = Pick<DemoRequest, 'tier' | 'feature' | 'mode' | 'prompt'>;

/** The kinds of requests. Each is sent equally often. */
const kinds: readonly Kind[] = [
  { tier: 'fast', feature: 'search', mode: 'stream', prompt: 'Where is my order?' },
  { tier: 'fast', feature: 'search', mode: 'stream', prompt: 'Which orders are late?' },
  { tier: 'fast', feature: 'search', mode: 'complete', prompt: 'Name the topic of this query.' },
  { tier: 'fast', feature: 'support', mode: 'complete', prompt: 'Sort this ticket.' },
  { tier: 'cheap-summarize', feature: 'digest', mode: 'complete', prompt: 'Summarize the week.' },
  { tier: 'cheap-summarize', feature: 'digest', mode: 'stream', prompt: 'Summarize the thread.' },
  { tier: 'frontier-reasoning', feature: 'support', mode: 'stream', prompt: 'Draft a reply.' },
];

/** The requests of each chapter, identical in each run. */
export function* writeStory(): Generator<{
  readonly chapter: Chapter;
  readonly requests: readonly DemoRequest[];
}> {
  const { random } = fakeRuntime({ seed: 42 });
  let number = 0;
  const deck: Kind[] = [];
  const next = (): Kind => {
    // Draws from a shuffled deck, so that all kinds appear regularly.
    if (deck.length === 0) {
      const shuffled = kinds.map((kind) => ({ kind, at: random() })).sort((a, b) => a.at - b.at);
      deck.push(...shuffled.map(({ kind }) => kind));
    }
    const kind = deck.pop();
    if (kind === undefined) throw new Error('the deck is empty');
    return kind;
  };
  for (const chapter of chapters) {
    const requests = Array.from({ length: chapter.requests }, () => {
      number += 1;
      return { number, ...next() };
    });
    yield { chapter, requests };
  }
}
