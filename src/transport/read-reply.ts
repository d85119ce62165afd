import { SignalboxError } from '../errors.ts';
import type { Watch } from '../protocol/provider.ts';
import type { Answer, AnswerHeaders, Body } from './answer.ts';
import { decodeAwsEventStream, isFrameStart } from './aws-event-stream.ts';
import { interruptedError } from './network-error.ts';
import { requestIdOf } from './response-facts.ts';
import { createEventDecoder, type ServerSentEvent } from './server-sent-events.ts';

/** A vendor's answer with a status other than 2xx. `body` is decoded JSON, or the text as it came. */
export type Refusal = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: unknown;
};

/** What the vendor sent, whatever it had been asked for. */
export type Reply = {
  readonly requestId: string | undefined;
  readonly headers: AnswerHeaders;
} & (
  | {
      readonly kind: 'events';
      /** The events, as many at a time as came at a time; never none. */
      readonly events: AsyncIterable<readonly ServerSentEvent[]>;
      /** Says that the wire's terminal marker has come: what is left is read out, not cut off. */
      complete(): void;
    }
  | { readonly kind: 'json'; readonly body: unknown }
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
);

/** Enough to classify an error by, and too little to be a burden when a proxy answers with a website. */
const maxErrorBodyLength = 65_536;

/** How long a vendor may take to end a body after its terminal marker before the socket is closed. */
const readOutMs = 1_000;

/**
 * Reads a body to its end in the background, so that its connection can be used for the next request. A body
 * that does not end is cut off. (The clock is the socket's, not the call's: the call is over.)
 */
async function readOut(body: Body): Promise<void> {
  if (body.hasArrived) return;
  const grace = AbortSignal.timeout(readOutMs);
  const cut = (): void => body.cancel();
  grace.addEventListener('abort', cut, { once: true });
  try {
    while ((await body.read()) !== undefined);
  } catch {
    // The connection broke after the answer was whole: nobody needs it any more.
  } finally {
    grace.removeEventListener('abort', cut);
  }
}

/** A body in pieces. */
type Pieces<Piece> = {
  /** The next piece; `undefined` at the end. Feeds the idle clock. */
  next(): Promise<Piece | undefined>;
  /** Closes the connection, or reads it out when all that matters has come. */
  leave(): void;
  /** All that matters has come. */
  complete(): void;
};

type Text = Pieces<string>;

function bytesOf(body: Body, watch: Watch): Pieces<Uint8Array> {
  let isComplete = false;
  let hasEnded = false;
  return {
    async next() {
      if (hasEnded) return undefined;
      let piece: Uint8Array | undefined;
      try {
        piece = await body.read();
      } catch (error) {
        hasEnded = true;
        throw interruptedError('the connection was cut', error);
      }
      watch.bytes();
      hasEnded = piece === undefined;
      return piece;
    },
    leave() {
      if (hasEnded) return;
      hasEnded = true;
      if (isComplete) void readOut(body);
      else body.cancel();
    },
    complete() {
      isComplete = true;
    },
  };
}

/** The bytes as text; `head` are those that have been read already. */
function textOf(bytes: Pieces<Uint8Array>, head: Uint8Array | undefined): Text {
  // Several times as fast as a TextDecoder; not imported, so that bundlers for other places can do without it.
  const { StringDecoder } = process.getBuiltinModule('node:string_decoder');
  const decoder = new StringDecoder('utf8');
  let first = head;
  let hasEnded = false;
  return {
    ...bytes,
    async next() {
      if (hasEnded) return undefined;
      const piece = first ?? (await bytes.next());
      first = undefined;
      if (piece !== undefined) return decoder.write(piece);
      hasEnded = true;
      return decoder.end();
    },
  };
}

/** Nothing yet, or the beginning of a field name of an event stream: too little to tell what the body is. */
const undecided = /^\s*(d|da|dat|e|ev|eve|even|i|r|re|ret|retr)?\s*$/;

/** Reads on until something other than white space shows what the body is. */
async function peek(text: Text): Promise<string> {
  let head = '';
  do {
    const next = await text.next();
    if (next === undefined) break;
    head += next;
    if (head.startsWith('\uFEFF')) head = head.slice(1);
  } while (undecided.test(head));
  return head;
}

async function collect(head: string, text: Text): Promise<string> {
  let whole = head;
  for (let next = await text.next(); next !== undefined; next = await text.next()) whole += next;
  return whole;
}

async function* readEvents(
  head: string,
  text: Text,
): AsyncGenerator<readonly ServerSentEvent[], void> {
  const decoder = createEventDecoder();
  try {
    for (let next: string | undefined = head; next !== undefined; next = await text.next()) {
      const events = decoder.decode(next);
      if (events.length > 0) yield events;
    }
    const last = decoder.end();
    if (last.length > 0) yield last;
  } finally {
    text.leave();
  }
}

/** The events in AWS's frames; `head` are the bytes that have been read already. */
async function* readFrames(
  head: Uint8Array,
  bytes: Pieces<Uint8Array>,
): AsyncGenerator<readonly ServerSentEvent[], void> {
  async function* whole(): AsyncGenerator<Uint8Array, void> {
    for (let next: Uint8Array | undefined = head; next !== undefined; next = await bytes.next()) {
      yield next;
    }
  }
  try {
    for await (const event of decodeAwsEventStream(whole())) yield [event];
  } finally {
    bytes.leave();
  }
}

async function readRefusal({ status, headers, body }: Answer, watch: Watch): Promise<Refusal> {
  const text = textOf(bytesOf(body, watch), undefined);
  let told = '';
  try {
    while (told.length < maxErrorBodyLength) {
      const next = await text.next();
      if (next === undefined) break;
      told += next;
    }
  } catch {
    // The status alone says enough when the error's own body is cut.
  } finally {
    text.leave();
  }
  return { status, headers, body: parse(told) ?? told };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(what: string): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    `the vendor answered with ${what} instead of a completion: check baseURL and any proxy in between`,
  );
}

/** What a body that is no answer is instead. */
function wordsFor(first: string): string {
  if (first === '') return 'an empty body';
  return first === '<' ? 'a web page' : 'something that is neither JSON nor an event stream';
}

/**
 * Reads the vendor's answer for what it is rather than for what was asked: servers ignore `stream`, proxies
 * answer with a web page and status 200, and content types lie. Looks at the first bytes only. AWS's binary
 * event stream is read as the events inside it.
 *
 * @throws SignalboxError `invalid_response` for a 2xx that is neither JSON nor an event stream, and
 * `stream_interrupted` when the connection breaks.
 */
export async function readReply(answer: Answer, watch: Watch): Promise<Reply> {
  const { status, headers } = answer;
  const facts = { requestId: requestIdOf(headers), headers };
  if (status < 200 || status > 299) {
    return { ...facts, kind: 'refusal', refusal: await readRefusal(answer, watch) };
  }
  const bytes = bytesOf(answer.body, watch);
  const piece = await bytes.next();
  if (piece !== undefined && isFrameStart(piece[0])) {
    return { ...facts, kind: 'events', events: readFrames(piece, bytes), complete: bytes.complete };
  }
  const text = textOf(bytes, piece);
  const head = await peek(text);
  const start = head.trimStart();
  const first = start.charAt(0);
  if (first === '{' || first === '[') {
    const body = parse(await collect(head, text));
    if (body === undefined) throw interruptedError('its JSON is not whole');
    return { ...facts, kind: 'json', body };
  }
  if (!/^(:|data|event|id|retry)/.test(start)) {
    text.leave();
    throw invalid(wordsFor(first));
  }
  return {
    ...facts,
    kind: 'events',
    events: readEvents(head, text),
    complete: text.complete,
  };
}
