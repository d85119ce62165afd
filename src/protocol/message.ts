import type { Json } from './json.ts';

/** The wire protocols that adapters speak. Custom providers may name their own. */
export type Wire = 'openai-responses' | 'openai-chat' | 'anthropic' | 'gemini' | (string & {});

/**
 * Replay data that only its issuer understands (a reasoning signature, encrypted reasoning).
 * It is sent back to the endpoint that minted it and to nobody else.
 */
export type Opaque = {
  readonly wire: Wire;
  /** Key of `providers` in the router's configuration. */
  readonly provider: string;
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

/** Where the bytes of an image, a sound or a file are. `data` is bytes or base64. */
export type Media =
  | { readonly url: string; readonly mediaType?: string }
  | { readonly data: Uint8Array | string; readonly mediaType: string }
  | {
      readonly ref: { readonly provider: string; readonly id: string };
      readonly mediaType?: string;
    };

/** Asks the vendor to cache the prompt up to here. A hint: targets without it ignore it. */
export type CacheHint = boolean | { readonly ttl?: '5m' | '30m' | '1h' | '12h' };

/** Where something in the answer comes from, as the vendor says. */
export type Citation = {
  /** Address of the source; absent when it is no page. */
  readonly url?: string;
  readonly title?: string;
  /** The words of the source that are cited. */
  readonly citedText?: string;
  /** The vendor's name of the document or file, when it is no page. */
  readonly source?: string;
  /** First character of the part's text that it supports; absent when it is for the whole of it. */
  readonly start?: number;
  /** The character after the last one. */
  readonly end?: number;
  /** The vendor's own citation. */
  readonly raw: Json;
};

export type TextPart = {
  readonly type: 'text';
  readonly text: string;
  /** Sources of an answer. Not sent back to any vendor. */
  readonly citations?: readonly Citation[];
  readonly cache?: CacheHint;
  readonly opaque?: Opaque;
};
export type ImagePart = {
  readonly type: 'image';
  readonly source: Media;
  readonly detail?: 'auto' | 'low' | 'high';
  readonly cache?: CacheHint;
};
export type AudioPart = { readonly type: 'audio'; readonly source: Media };
export type FilePart = {
  readonly type: 'file';
  readonly source: Media;
  readonly filename?: string;
  /** Asks for citations of this file where that is to be asked for (Anthropic). A hint: others ignore it. */
  readonly citations?: boolean;
  readonly cache?: CacheHint;
};
export type ReasoningPart = {
  readonly type: 'reasoning';
  readonly text: string;
  readonly opaque?: Opaque;
};
export type RefusalPart = { readonly type: 'refusal'; readonly text: string };

/**
 * A call of one of the caller's tools.
 * `invalid` marks arguments that are not JSON; `rawInput` then holds the vendor's text as it came.
 */
export type ToolCallPart<Name extends string = string, Input = Json> = {
  readonly type: 'tool-call';
  readonly id: string;
  readonly name: Name;
  readonly input: Input;
  readonly rawInput?: string;
  readonly invalid?: boolean;
  readonly opaque?: Opaque;
  /** A plugin denied the call: it is not in `toolCalls`, and must not be run. */
  readonly denied?: { readonly plugin: string; readonly rule: string };
};
export type ToolResultPart = {
  readonly type: 'tool-result';
  /** The `id` of the tool call that this answers. */
  readonly id: string;
  readonly name: string;
  readonly output: Json | readonly (TextPart | ImagePart | FilePart)[];
  readonly isError?: boolean;
  readonly cache?: CacheHint;
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

/** One turn. A string is short for one text part. */
export type Message =
  | { readonly role: 'system'; readonly content: string | readonly TextPart[] }
  | {
      readonly role: 'user' | 'assistant' | 'tool';
      readonly content: string | readonly Part[];
    };

/** A turn as adapters see it: content is always a list of parts, and never empty. */
export type NormalMessage = {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: readonly Part[];
};
