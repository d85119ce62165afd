import type { TagOptions } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import type { Message } from '../../protocol/message.ts';
import type { Tool } from '../../protocol/request.ts';

/** One prompt of a suite, and what is known of a good answer. Set either `prompt` or `messages`. */
export type EvalCase = {
  /** Unique in its suite. @default derived from the content: a changed case is another case */
  readonly id?: string | undefined;
  readonly prompt?: string | undefined;
  readonly messages?: readonly Message[] | undefined;
  /** What the scorers compare the answer with: each of them describes its form. */
  readonly expected?: Json | undefined;
  readonly tools?: readonly Tool[] | undefined;
  /** Tags of the call. `eval` is set by the run. */
  readonly tags?: TagOptions | undefined;
  /** How much the case counts in the score of its suite. @default 1 */
  readonly weight?: number | undefined;
  /** With `label`: an answer that a person has graded. The case is not asked; it measures the judges of the suite. */
  readonly answer?: string | undefined;
  /** What the person gave `answer`, from 0 to 1. */
  readonly label?: number | undefined;
};

/** A case with its id. */
export type IdentifiedCase = EvalCase & { readonly id: string };

/** The answer of a target, as scorers receive it: what a run keeps of it, so that it can be scored again. */
export type EvalAnswer = {
  /** `provider/model`. */
  readonly target: string;
  readonly text: string;
  /** The parsed answer, if the suite's `options` have a `schema`. */
  readonly object?: unknown;
  readonly toolCalls: readonly { readonly name: string; readonly input: Json }[];
  readonly finishReason: string;
};

/** Messages as JSON, in which the content of images and files is only named: for those who read text. */
export function withoutBytes(messages: readonly Message[]): string {
  return JSON.stringify(messages, (_, each: unknown) => {
    const isMedia =
      typeof each === 'object' && each !== null && 'data' in each && 'mediaType' in each;
    return isMedia ? { ...each, data: '(not shown)' } : each;
  });
}
