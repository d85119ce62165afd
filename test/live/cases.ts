import assert from 'node:assert/strict';
import { isSignalboxError } from '../../src/errors.ts';
import type { Json } from '../../src/protocol/json.ts';
import type { NormalMessage, Part, ToolCallPart } from '../../src/protocol/message.ts';
import type { Capability, Provider } from '../../src/protocol/provider.ts';
import type { ProviderRequest } from '../../src/protocol/request.ts';
import type { Usage } from '../../src/protocol/usage.ts';
import type { Outcome, Reading } from '../../src/testing/contract/probe.ts';
import { redSquare } from './red-square.ts';

type Finish = NonNullable<Outcome['finish']>;

export type LiveAnswer = Outcome & {
  readonly finish: Finish;
  /** `null` if the price is unknown. */
  readonly usd: number | null;
};

type LiveQuestion = Reading & {
  readonly request: Pick<ProviderRequest, 'messages'> & Partial<ProviderRequest>;
  /** Another adapter of the same vendor. */
  readonly provider?: Provider;
};

/** What decides whether a case applies. */
export type ModelFacts = {
  readonly capabilities: ReadonlySet<Capability>;
  readonly reasons: boolean;
  readonly hasKey: boolean;
  readonly hasEmbeddings: boolean;
  /** Whether the public price list has the model. */
  readonly isListed: boolean;
};

/** A model under test. Everything that it sends is within the cap on spend. */
export type LiveSubject = ModelFacts & {
  /** The same adapter with another key. */
  readonly withKey: (apiKey: string) => Provider;
  /** Sends one request. Its failure is returned. */
  readonly send: (question: LiveQuestion) => Promise<Outcome>;
  /** Like `send`, but throws the failure. */
  readonly ask: (question: LiveQuestion) => Promise<LiveAnswer>;
  /** Throws the failure. */
  readonly embed: (values: readonly string[]) => Promise<LiveAnswer>;
};

/** A case of the contract that needs no fault: any vendor must pass it. */
export type LiveCase = {
  readonly name: string;
  /** The number of requests that are billed. */
  readonly requests: number;
  /** Of each request, reasoning included. */
  readonly maxOutputTokens: number;
  /** @default 'chat' */
  readonly model?: 'chat' | 'embedding';
  /** Why the case does not apply to the model. */
  readonly skip?: (model: ModelFacts) => string | undefined;
  readonly run: (subject: LiveSubject) => Promise<void>;
};

/** The whole text that is sent to vendors, besides the schemas. */
export const prompts = {
  word: 'Reply with the word ping and nothing else.',
  numbers: 'Count from 1 to 60. Write only the numbers, separated by commas.',
  usage: 'Reply with the word pong and nothing else.',
  weather: 'What is the temperature in Zürich now? Call the tool, then answer in one sentence.',
  person: 'Ada Lovelace was 36 years old. Return her name and age as JSON.',
  image: 'Which color is this square? Answer with one English word.',
  puzzle: 'How many integers from 1 to 200 are divisible by 3 or by 5, but not by both?',
  story: 'Write a story of 200 words about a lighthouse.',
} as const;

export const wrongKey = 'signalbox-wrong-key';
const unknownModel = 'signalbox-no-such-model';

const temperature = 17;
const puzzleAnswer = '80';

const weatherTool = {
  name: 'read_temperature',
  description: 'Returns the temperature of a city in degrees.',
  inputSchema: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
} as const;

const personSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
} as const;

function userTurn(text: string, ...more: readonly Part[]): NormalMessage {
  return { role: 'user', content: [{ type: 'text', text }, ...more] };
}

function question(text: string, ...more: readonly Part[]): LiveQuestion['request'] {
  return { messages: [userTurn(text, ...more)] };
}

function lacks(capability: Capability): (model: ModelFacts) => string | undefined {
  return ({ capabilities }) =>
    capabilities.has(capability) ? undefined : `the model has no "${capability}"`;
}

function withoutKey({ hasKey }: ModelFacts): string | undefined {
  return hasKey ? undefined : 'the server needs no key';
}

function assertStopped({ finish }: LiveAnswer): void {
  assert.equal(finish.finishReason, 'stop', 'the finish reason is "stop"');
  assert.ok((finish.rawFinishReason ?? '') !== '', "the vendor's finish reason is kept");
}

function assertText({ text }: Outcome, expected: string): void {
  const found = text.toLowerCase().includes(expected);
  assert.ok(found, `the text does not contain "${expected}" (${text.length} characters)`);
}

function assertUsage(usage: Usage | undefined): void {
  assert.ok(usage !== undefined, 'the answer has no usage');
  assert.notEqual(usage.estimated, true, 'the usage is an estimate: its counts are implausible');
  assert.ok(usage.inputTokens > 0, 'the usage has no input tokens');
  assert.ok(usage.outputTokens > 0, 'the usage has no output tokens');
  const { inputTokens, outputTokens, totalTokens } = usage;
  assert.equal(totalTokens, inputTokens + outputTokens, 'the total is not input plus output');
  assert.ok(usage.raw !== undefined, "the vendor's usage is not in usage.raw");
}

/** The object in an answer. Models without enforced schemas may put it into a fence. */
function objectIn(text: string): Readonly<Record<string, Json>> {
  try {
    return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
  } catch {
    throw new assert.AssertionError({
      message: `the answer is not JSON (${text.length} characters)`,
    });
  }
}

function onlyCallIn({ content }: LiveAnswer): ToolCallPart {
  const calls = content.filter((part) => part.type === 'tool-call');
  const [call] = calls;
  if (call !== undefined && calls.length === 1) return call;
  throw new assert.AssertionError({ message: `expected one tool call, got ${calls.length}` });
}

const shortAnswerTokens = 1_024;

/** Room for reasoning and for the answer. */
const reasonedAnswerTokens = 4_096;

/** For requests that must be rejected. */
const noAnswerTokens = 16;

/** An abort must not wait for the rest of the answer. */
const maxAbortMs = 5_000;

export const liveCases: readonly LiveCase[] = [
  {
    name: 'answers in one piece',
    requests: 1,
    maxOutputTokens: shortAnswerTokens,
    run: async ({ ask }) => {
      const answer = await ask({ request: question(prompts.word), transfer: 'unary' });
      assertText(answer, 'ping');
      assertStopped(answer);
      const open = answer.parts.find((part) => part.type === 'open');
      const { id = open?.id, servedModel = open?.servedModel } = answer.finish;
      assert.ok((id ?? '') !== '', 'the answer has no id');
      assert.ok((servedModel ?? '') !== '', 'the answer does not name its model');
    },
  },
  {
    name: 'streams an answer in several deltas',
    requests: 1,
    maxOutputTokens: shortAnswerTokens,
    run: async ({ ask }) => {
      const answer = await ask({ request: question(prompts.numbers) });
      assertText(answer, '60');
      assertStopped(answer);
      const deltas = answer.parts.filter(({ type }) => type === 'text-delta');
      assert.ok(deltas.length > 1, 'the stream has only one delta');
    },
  },
  {
    name: 'reports usage and cost, streamed or not',
    requests: 2,
    maxOutputTokens: shortAnswerTokens,
    run: async ({ ask, isListed }) => {
      for (const transfer of ['unary', 'stream'] as const) {
        const { finish, usd } = await ask({ request: question(prompts.usage), transfer });
        assertUsage(finish.usage);
        assert.ok(usd !== null || !isListed, 'the cost is unknown, although the model is listed');
      }
    },
  },
  {
    name: 'calls a tool and uses its result',
    requests: 2,
    maxOutputTokens: shortAnswerTokens,
    skip: lacks('tools'),
    run: async ({ ask }) => {
      const request = { ...question(prompts.weather), tools: [weatherTool] };
      const asked = await ask({ request: { ...request, toolChoice: 'required' } });
      const { id, name, input, invalid } = onlyCallIn(asked);
      assert.equal(asked.finish.finishReason, 'tool_calls', 'the finish reason is "tool_calls"');
      assert.equal(name, weatherTool.name, 'the call names another tool');
      assert.notEqual(invalid, true, 'the input of the call is not JSON');
      assert.ok(JSON.stringify(input).includes('city'), 'the input of the call has no "city"');
      const messages: readonly NormalMessage[] = [
        ...request.messages,
        { role: 'assistant', content: asked.content },
        { role: 'tool', content: [{ type: 'tool-result', id, name, output: { temperature } }] },
      ];
      assertText(await ask({ request: { ...request, messages } }), String(temperature));
    },
  },
  {
    name: 'fills a schema',
    requests: 1,
    maxOutputTokens: shortAnswerTokens,
    skip: lacks('structured-output'),
    run: async ({ ask }) => {
      const output = { name: 'person', schema: personSchema };
      const { text } = await ask({ request: { ...question(prompts.person), output } });
      const { name, age, ...others } = objectIn(text);
      assert.ok(typeof name === 'string' && name.includes('Ada'), 'the object has no "name"');
      assert.equal(age, 36, 'the object has no "age"');
      assert.equal(Object.keys(others).length, 0, 'the object has other properties');
    },
  },
  {
    name: 'reads an image',
    requests: 1,
    maxOutputTokens: shortAnswerTokens,
    skip: lacks('vision'),
    run: async ({ ask }) => {
      const source = { data: redSquare, mediaType: 'image/png' };
      assertText(await ask({ request: question(prompts.image, { type: 'image', source }) }), 'red');
    },
  },
  {
    name: 'reasons',
    requests: 1,
    maxOutputTokens: reasonedAnswerTokens,
    skip: ({ reasons }) => (reasons ? undefined : 'the model is not known to reason'),
    run: async ({ ask }) => {
      const reasoning = { effort: 'medium', include: true } as const;
      const answer = await ask({ request: { ...question(prompts.puzzle), reasoning } });
      assertText(answer, puzzleAnswer);
      const isShown = answer.content.some((part) => part.type === 'reasoning' && part.text !== '');
      const isCounted = (answer.finish.usage?.reasoningTokens ?? 0) > 0;
      assert.ok(isShown || isCounted, 'there is neither reasoning nor a count of its tokens');
    },
  },
  {
    name: 'ends at an abort',
    requests: 1,
    maxOutputTokens: shortAnswerTokens,
    run: async ({ send }) => {
      const controller = new AbortController();
      let abortedAt: number | undefined;
      const outcome = await send({
        request: question(prompts.story),
        controller,
        onPart: ({ type }) => {
          if (type !== 'text-delta' && type !== 'reasoning-delta') return undefined;
          abortedAt ??= performance.now();
          controller.abort();
          return undefined;
        },
      });
      // A failure before the first delta is one of the vendor.
      if (abortedAt === undefined && outcome.error !== undefined) throw outcome.error;
      assert.ok(abortedAt !== undefined, 'the stream has no delta');
      assert.equal(outcome.finish, undefined, 'the answer went on to its end');
      const tookMs = performance.now() - abortedAt;
      assert.ok(tookMs < maxAbortMs, `the answer ended ${Math.round(tookMs)} ms after the abort`);
    },
  },
  {
    name: 'embeds two texts',
    requests: 1,
    maxOutputTokens: 0,
    model: 'embedding',
    skip: ({ hasEmbeddings }) => (hasEmbeddings ? undefined : 'no embedding model is listed'),
    run: async ({ embed }) => {
      const { parts } = await embed(['A lighthouse.', 'Ein Leuchtturm.']);
      const vectors = parts.flatMap((part) => (part.type === 'vectors' ? part.vectors : []));
      assert.equal(vectors.length, 2, 'there is one vector per text');
      const [first = [], second = []] = vectors;
      assert.ok(first.length > 1, 'the vectors have no numbers');
      assert.equal(first.length, second.length, 'the vectors have different lengths');
    },
  },
  {
    name: 'reports a wrong key as auth',
    requests: 0,
    maxOutputTokens: noAnswerTokens,
    skip: withoutKey,
    run: async ({ send, withKey }) => {
      const { error } = await send({
        request: question(prompts.word),
        provider: withKey(wrongKey),
      });
      if (isSignalboxError(error, 'auth')) {
        assert.ok(!error.message.includes(wrongKey), 'the message contains the key');
        return;
      }
      throw error ?? new assert.AssertionError({ message: 'the wrong key was accepted' });
    },
  },
  {
    name: 'reports an unknown model as model_not_found',
    requests: 0,
    maxOutputTokens: noAnswerTokens,
    skip: withoutKey,
    run: async ({ send }) => {
      const request = { ...question(prompts.word), model: unknownModel };
      const { error } = await send({ request });
      if (isSignalboxError(error, 'model_not_found')) return;
      throw error ?? new assert.AssertionError({ message: 'the unknown model answered' });
    },
  },
];
