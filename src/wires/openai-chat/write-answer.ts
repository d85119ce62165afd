import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { objectOf } from '../common/read.ts';
import type { AnswerEnd, AnswerWriter, PartToWrite } from '../common/serve.ts';
import type { Frame, Turn, UsageToWrite, VendorError } from '../common/write.ts';
import { openaiErrorObject } from '../openai-shared/write.ts';
import { signatureFields } from './signatures.ts';

/** `other` and `error` are sent only by compatible vendors. */
const finishWords = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
  refusal: 'stop',
  context_length: 'length',
  pause: 'stop',
  error: 'error',
  other: 'other',
} as const satisfies Record<FinishReason, string>;

/** What differs between OpenAI and vendors compatible with its wire. */
export type WrittenDialect = {
  /** Fields that only OpenAI's messages have. */
  readonly ownFields: JsonObject;
  /** The field with reasoning. OpenAI has none. */
  readonly reasoningField: 'reasoning_content' | undefined;
};

export type ChatAnswer = {
  /** `frames` keeps nothing of the answer for `body()`, and `body` makes no frames. */
  readonly form: 'frames' | 'body';
  readonly model: string;
  readonly serviceTier?: string | undefined;
  readonly streamUsage: 'on-request' | 'always';
  /** Whether it is known at the start that there is no text. */
  readonly isWithoutText: boolean;
};

type Call = { readonly index: number; readonly head: JsonObject; input: string; extra: JsonObject };

const none: readonly Frame[] = [];

const end: Frame = { data: '[DONE]', role: 'end' };

/** Writes an answer of Chat Completions. */
export class ChatWriter implements AnswerWriter {
  readonly #turn: Turn;
  readonly #dialect: WrittenDialect;
  readonly #answer: ChatAnswer;
  readonly #withUsage: boolean;
  readonly #calls = new Map<string, Call>();
  /** What is before and after the field of a delta, as JSON: most chunks differ in nothing else. */
  #around: readonly [before: string, after: string] | undefined;
  #text = '';
  #refusal: string | undefined;
  #reasoning: string | undefined;
  /** The reasoning since the last end of one. Only where it may have to be sent back. */
  #thought = '';
  readonly #details: JsonObject[] = [];
  #end: AnswerEnd | undefined;

  constructor(turn: Turn, dialect: WrittenDialect, answer: ChatAnswer) {
    this.#turn = turn;
    this.#dialect = dialect;
    this.#answer = answer;
    const isRequested = objectOf(turn.request.body.stream_options).include_usage === true;
    this.#withUsage = isRequested || answer.streamUsage === 'always';
  }

  start(): readonly Frame[] {
    const { annotations: _notStreamed, ...ownFields } = this.#dialect.ownFields;
    const content = this.#answer.isWithoutText ? null : '';
    return this.#delta({ role: 'assistant', content, ...ownFields }, 'preamble');
  }

  write(part: PartToWrite): readonly Frame[] {
    switch (part.type) {
      case 'text':
        if (this.#answer.form === 'frames') return this.#textDelta('content', part.delta);
        this.#text += part.delta;
        return none;
      case 'refusal':
        if (this.#answer.form === 'frames') return this.#textDelta('refusal', part.delta);
        this.#refusal = (this.#refusal ?? '') + part.delta;
        return none;
      case 'reasoning':
        return this.#reason(part.delta);
      case 'reasoning-end':
        return this.#endThought(part.opaque);
      case 'tool-call':
        return this.#call(part);
      case 'tool-input':
        return this.#input(part);
      case 'tool-call-end':
        return this.#endCall(part);
      default:
        return part satisfies never;
    }
  }

  finish(ended: AnswerEnd): readonly Frame[] {
    this.#end = ended;
    if (this.#answer.form === 'body') return none;
    const details = this.#details.length > 0 ? { reasoning_details: this.#details } : undefined;
    return [
      ...(details === undefined ? none : this.#delta(details)),
      ...this.#delta({}, 'finish', finishWords[ended.finishReason]),
      ...(this.#withUsage
        ? [{ data: this.#chunk([], usage(ended.usage)), role: 'finish' } as const]
        : none),
      end,
    ];
  }

  fail(error: VendorError): readonly Frame[] {
    return [{ data: { error: openaiErrorObject(error) }, role: 'finish' }, end];
  }

  body(): JsonObject {
    const ended = this.#end;
    const { model } = this.#answer;
    const calls = [...this.#calls.values()];
    const hasOther = this.#refusal !== undefined || calls.length > 0;
    const { reasoningField } = this.#dialect;
    return {
      id: this.#id,
      object: 'chat.completion',
      created: this.#created,
      model,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: this.#text === '' && hasOther ? null : this.#text,
            ...this.#dialect.ownFields,
            ...(this.#refusal !== undefined && { refusal: this.#refusal }),
            ...(reasoningField !== undefined &&
              this.#reasoning !== undefined && { [reasoningField]: this.#reasoning }),
            ...(this.#details.length > 0 && { reasoning_details: this.#details }),
            ...(calls.length > 0 && {
              tool_calls: calls.map(({ head, input, extra }) => ({
                ...head,
                function: { ...objectOf(head.function), arguments: input },
                ...extra,
              })),
            }),
          },
          logprobs: null,
          finish_reason: ended === undefined ? null : finishWords[ended.finishReason],
        },
      ],
      ...(ended !== undefined && { usage: usage(ended.usage) }),
      ...this.#serviceTier,
      system_fingerprint: null,
    };
  }

  get #id(): string {
    return `chatcmpl-${this.#turn.serial}`;
  }

  get #created(): number {
    return Math.floor(this.#turn.at / 1000);
  }

  get #serviceTier(): JsonObject {
    const { serviceTier } = this.#answer;
    return serviceTier === undefined ? {} : { service_tier: serviceTier };
  }

  #chunk(choices: readonly JsonObject[], total: JsonObject | null): JsonObject {
    return {
      id: this.#id,
      object: 'chat.completion.chunk',
      created: this.#created,
      model: this.#answer.model,
      ...this.#serviceTier,
      system_fingerprint: null,
      choices,
      ...(this.#withUsage && { usage: total }),
    };
  }

  #delta(
    delta: JsonObject,
    role: Frame['role'] = 'content',
    finish: string | null = null,
  ): readonly Frame[] {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finish };
    return [{ data: this.#chunk([choice], null), role }];
  }

  #textDelta(field: string, text: string): readonly Frame[] {
    if (this.#around === undefined) {
      const [frame] = this.#delta({ field: 0 });
      const [before = '', after = ''] = JSON.stringify(frame?.data).split('"field":0');
      this.#around = [before, after];
    }
    const [before, after] = this.#around;
    return [{ data: `${before}"${field}":${JSON.stringify(text)}${after}`, role: 'content' }];
  }

  #reason(text: string): readonly Frame[] {
    const { reasoningField } = this.#dialect;
    if (reasoningField === undefined) return none;
    this.#thought += text;
    if (this.#answer.form === 'frames') return this.#textDelta(reasoningField, text);
    this.#reasoning = (this.#reasoning ?? '') + text;
    return none;
  }

  /**
   * What the client sends back is a detail as OpenRouter has them. All are in one delta at the end, because OpenAI's SDK
   * keeps the last value of a field that it does not know.
   */
  #endThought(opaque: string | undefined): readonly Frame[] {
    const text = this.#thought;
    this.#thought = '';
    if (opaque === undefined) return none;
    this.#details.push(
      text === ''
        ? { type: 'reasoning.encrypted', data: opaque }
        : { type: 'reasoning.text', text, signature: opaque },
    );
    return none;
  }

  #call({ key, id, name }: Extract<PartToWrite, { type: 'tool-call' }>): readonly Frame[] {
    const index = this.#calls.size;
    const head = {
      id: id ?? `call_${this.#turn.serial}${index}`,
      type: 'function',
      function: { name, arguments: '' },
    };
    this.#calls.set(key, { index, head, input: '', extra: {} });
    return this.#answer.form === 'body' ? none : this.#delta({ tool_calls: [{ index, ...head }] });
  }

  #input({ key, delta }: Extract<PartToWrite, { type: 'tool-input' }>): readonly Frame[] {
    const call = this.#calls.get(key);
    if (call === undefined) return none;
    if (this.#answer.form === 'body') {
      call.input += delta;
      return none;
    }
    const { index } = call;
    return this.#delta({ tool_calls: [{ index, function: { arguments: delta } }] });
  }

  /** The place of Gemini's signatures, which its clients know to send back. */
  #endCall({ key, opaque }: Extract<PartToWrite, { type: 'tool-call-end' }>): readonly Frame[] {
    const call = this.#calls.get(key);
    if (call === undefined || opaque === undefined) return none;
    const extra = signatureFields({ kind: 'thought-signature', data: opaque }) ?? {};
    call.extra = extra;
    if (this.#answer.form === 'body') return none;
    return this.#delta({
      tool_calls: [{ index: call.index, function: { arguments: '' }, ...extra }],
    });
  }
}

function usage(counted: UsageToWrite): JsonObject {
  return {
    prompt_tokens: counted.inputTokens,
    completion_tokens: counted.outputTokens,
    total_tokens: counted.inputTokens + counted.outputTokens,
    prompt_tokens_details: {
      cached_tokens: counted.cachedInputTokens,
      cache_write_tokens: counted.cacheWriteTokens,
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: counted.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
