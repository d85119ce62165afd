import { SignalboxError } from '../errors.ts';
import type { Watch } from '../protocol/provider.ts';
import { decodeAwsEventStream, isFrameStart } from './aws-event-stream.ts';
import { interruptedError } from './network-error.ts';
import { requestIdOf } from './response-facts.ts';
import { decodeServerSentEvents, type ServerSentEvent } from './server-sent-events.ts';

/** A vendor's answer with a status other than 2xx. `body` is decoded JSON, or the text as it came. */
export type Refusal = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
};

/** What the vendor sent, whatever it had been asked for. */
export type Reply = {
  readonly requestId: string | undefined;
  readonly headers: Headers;
} & (
  | {
      readonly kind: 'events';
      readonly events: AsyncIterable<ServerSentEvent>;
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
async function readOut(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const grace = AbortSignal.timeout(readOutMs);
  const cut = (): void => void reader.cancel().catch(() => undefined);
  grace.addEventListener('abort', cut, { once: true });
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read());
  } catch {
    // The connection broke after the answer was whole: nobody needs it any more.
  } finally {
    grace.removeEventListener('abort', cut);
  }
}

/** What a reader of a body knows of it: whether all that matters has been read. */
type Progress = { isComplete: boolean };

/** The bytes of the body; every chunk feeds the idle clock; leaving before it is complete closes the socket. */
async function* bytesOf(
  response: Response,
  watch: Watch,
  progress: Progress,
): AsyncGenerator<Uint8Array, void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let ended = false;
  try {
    while (true) {
      const { done, value } = await reader.read();
      watch.bytes();
      if (done) break;
      if (value.length > 0) yield value;
    }
    ended = true;
  } catch (error) {
    ended = true;
    throw interruptedError('the connection was cut', error);
  } finally {
    if (!ended && progress.isComplete) void readOut(reader);
    // Cancelling rejects when the socket is already gone, which is what we want of it anyway.
    else if (!ended) await reader.cancel().catch(() => undefined);
  }
}

async function* textOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
  const last = decoder.decode();
  if (last !== '') yield last;
}

/** Nothing yet, or the beginning of a field name of an event stream: too little to tell what the body is. */
const undecided = /^(d|da|dat|e|ev|eve|even|i|r|re|ret|retr)?$/;

/** Reads on until something other than white space shows what the body is. */
async function peek(chunks: AsyncIterator<string>): Promise<string> {
  let head = '';
  while (undecided.test(head.replace(/^\uFEFF/, '').trim())) {
    const next = await chunks.next();
    if (next.done === true) break;
    head += next.value;
  }
  return head.replace(/^\uFEFF/, '');
}

async function* resume<Chunk>(
  head: Chunk,
  chunks: AsyncGenerator<Chunk, void>,
): AsyncGenerator<Chunk, void> {
  try {
    yield head;
    yield* chunks;
  } finally {
    await chunks.return();
  }
}

async function collect(head: string, chunks: AsyncGenerator<string, void>): Promise<string> {
  let text = '';
  for await (const chunk of resume(head, chunks)) text += chunk;
  return text;
}

async function readRefusal(response: Response, watch: Watch): Promise<Refusal> {
  let text = '';
  try {
    for await (const chunk of textOf(bytesOf(response, watch, { isComplete: false }))) {
      text += chunk;
      if (text.length >= maxErrorBodyLength) break;
    }
  } catch {
    // The status alone says enough when the error's own body is cut.
  }
  return {
    status: response.status,
    headers: response.headers,
    body: parse(text) ?? text,
  };
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

/**
 * Reads the vendor's answer for what it is rather than for what was asked: servers ignore `stream`, proxies
 * answer with a web page and status 200, and content types lie. Looks at the first bytes only. AWS's binary
 * event stream is read as the events inside it.
 *
 * @throws SignalboxError `invalid_response` for a 2xx that is neither JSON nor an event stream, and
 * `stream_interrupted` when the connection breaks.
 */
export async function readReply(response: Response, watch: Watch): Promise<Reply> {
  const facts = {
    requestId: requestIdOf(response.headers),
    headers: response.headers,
  };
  if (!response.ok) {
    return {
      ...facts,
      kind: 'refusal',
      refusal: await readRefusal(response, watch),
    };
  }
  const progress: Progress = { isComplete: false };
  const complete = (): void => {
    progress.isComplete = true;
  };
  const bytes = bytesOf(response, watch, progress);
  const start = await bytes.next();
  const whole = start.done === true ? bytes : resume(start.value, bytes);
  if (start.done !== true && isFrameStart(start.value[0])) {
    return { ...facts, kind: 'events', events: decodeAwsEventStream(whole), complete };
  }
  const chunks = textOf(whole);
  const head = await peek(chunks);
  const first = head.trimStart().charAt(0);
  if (first === '{' || first === '[') {
    const body = parse(await collect(head, chunks));
    if (body === undefined) throw interruptedError('its JSON is not whole');
    return { ...facts, kind: 'json', body };
  }
  if (first === '<' || first === '') {
    await chunks.return();
    throw invalid(first === '' ? 'an empty body' : 'a web page');
  }
  if (!/^(:|data|event|id|retry)/.test(head.trimStart())) {
    await chunks.return();
    throw invalid('something that is neither JSON nor an event stream');
  }
  return {
    ...facts,
    kind: 'events',
    events: decodeServerSentEvents(resume(head, chunks)),
    complete,
  };
}
