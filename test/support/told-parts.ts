import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import type { AnswerContext, AnswerReader } from '../../src/wires/common/read-answer.ts';

/** What an answer's reader tells while it is given the answer. */
export function toldBy<Reader extends Pick<AnswerReader, 'finish'>>(
  open: (context: AnswerContext) => Reader,
  read: (reader: Reader) => void,
): readonly ProviderPart[] {
  const parts: ProviderPart[] = [];
  const addPart = (part: ProviderPart) => void parts.push(part);
  const reader = open({ headers: new Headers(), requestId: undefined, addPart });
  read(reader);
  reader.finish({});
  return parts;
}

/** What the reader of a wire tells of a stream's events. */
export function toldOfEvents(
  open: (context: AnswerContext) => AnswerReader,
  events: readonly unknown[],
): readonly ProviderPart[] {
  return toldBy(open, (reader) => {
    for (const event of events) reader.readEvent(event);
  });
}

/** What the reader of a wire tells of a whole answer. */
export function toldOfBody(
  open: (context: AnswerContext) => AnswerReader,
  body: unknown,
): readonly ProviderPart[] {
  return toldBy(open, (reader) => reader.readBody(body));
}
