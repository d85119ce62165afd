import type { Json } from './json.ts';

/** The wire protocol of an adapter. A custom provider may use any name. */
export type Wire = 'openai-responses' | 'openai-chat' | 'anthropic' | 'gemini' | (string & {});

/**
 * Replay data that only its issuer understands, such as a reasoning signature or encrypted reasoning. Sent back only to
 * the provider that issued it.
 */
export type Opaque = {
  readonly wire: Wire;
  /** Key of `providers` in the router's configuration. */
  readonly provider: string;
  /**
   * Index of the key in the provider's pool that this is bound to, from 0: the vendor rejects it from another key, which
   * may belong to another organisation. A call prefers this key, and leaves the data out when it is sent with another.
   */
  readonly key?: number;
  readonly model: string;
  readonly kind:
    | 'signature'
    | 'redacted'
    | 'encrypted'
    | 'thought-signature'
    | 'reasoning-content'
    | 'item';
  readonly data: string;
};

/**
 * Content of an image, an audio clip or a file. `data` is bytes or base64; `ref` is a file uploaded to the provider.
 */
export type Media =
  | { readonly url: string; readonly mediaType?: string | undefined }
  | { readonly data: Uint8Array | string; readonly mediaType: string }
  | {
      readonly ref: { readonly provider: string; readonly id: string };
      readonly mediaType?: string | undefined;
    };

/** Asks the vendor to cache the prompt up to here. A hint: targets without prompt caching ignore it. */
export type CacheHint = boolean | { readonly ttl?: '5m' | '30m' | '1h' | '12h' | undefined };

/** A source that the vendor cites for a part of the answer. */
export type Citation = {
  /** URL of the source. Absent if it is not a web page. */
  readonly url?: string | undefined;
  readonly title?: string | undefined;
  /** The cited text of the source. */
  readonly citedText?: string | undefined;
  /** The vendor's name of the document or file. Absent if the source is a web page. */
  readonly source?: string | undefined;
  /** Index of the first supported character in the part's text. Absent if it supports the whole text. */
  readonly start?: number | undefined;
  /** Index after the last supported character. */
  readonly end?: number | undefined;
  /** The vendor's citation object. */
  readonly raw: Json;
};

export type TextPart = {
  readonly type: 'text';
  readonly text: string;
  /** Sources of the text. Not sent to any vendor. */
  readonly citations?: readonly Citation[] | undefined;
  readonly cache?: CacheHint | undefined;
  readonly opaque?: Opaque | undefined;
};
export type ImagePart = {
  readonly type: 'image';
  readonly source: Media;
  /** Resolution at which the vendor reads the image. */
  readonly detail?: 'auto' | 'low' | 'high' | undefined;
  readonly cache?: CacheHint | undefined;
};
export type AudioPart = { readonly type: 'audio'; readonly source: Media };
export type FilePart = {
  readonly type: 'file';
  readonly source: Media;
  readonly filename?: string | undefined;
  /** Requests citations of this file, for vendors that require it (Anthropic). Other vendors ignore it. */
  readonly citations?: boolean | undefined;
  readonly cache?: CacheHint | undefined;
};
export type ReasoningPart = {
  readonly type: 'reasoning';
  readonly text: string;
  readonly opaque?: Opaque | undefined;
};
export type RefusalPart = { readonly type: 'refusal'; readonly text: string };

/**
 * A call of one of the caller's tools. If the arguments are not valid JSON, `invalid` is `true` and `rawInput` contains
 * the vendor's text.
 */
export type ToolCallPart<Name extends string = string, Input = Json> = {
  readonly type: 'tool-call';
  readonly id: string;
  readonly name: Name;
  readonly input: Input;
  readonly rawInput?: string | undefined;
  readonly invalid?: boolean | undefined;
  readonly opaque?: Opaque | undefined;
  /**
   * A plugin denied the call. It is not in `toolCalls`; do not run it. With `unlessApproved`, a person may allow this one
   * call: `runTools` asks.
   */
  readonly denied?:
    | { readonly plugin: string; readonly rule: string; readonly unlessApproved?: true }
    | undefined;
};
export type ToolResultPart = {
  readonly type: 'tool-result';
  /** The `id` of the tool call. */
  readonly id: string;
  readonly name: string;
  readonly output: Json | readonly (TextPart | ImagePart | FilePart)[];
  readonly isError?: boolean | undefined;
  readonly cache?: CacheHint | undefined;
};

export type Part =
  | TextPart
  | ImagePart
  | AudioPart
  | FilePart
  | ReasoningPart
  | RefusalPart
  | ToolCallPart
  | ToolResultPart;

/** One message of a conversation. A string means one text part. */
export type Message =
  | { readonly role: 'system'; readonly content: string | readonly TextPart[] }
  | {
      readonly role: 'user' | 'assistant' | 'tool';
      readonly content: string | readonly Part[];
    };

/** A message as adapters receive it: `content` is a non-empty list of parts. */
export type NormalMessage = {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: readonly Part[];
};
