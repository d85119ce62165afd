import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import type { AnswerFacts, AnswerReader } from '../../src/wires/common/read-answer.ts';

/** What an answer's reader tells while it is given the answer. */
export function toldBy<Reader extends Pick<AnswerReader, 'finish'>>(
  open: (facts: AnswerFacts) => Reader,
  read: (reader: Reader) => void,
): readonly ProviderPart[] {
  const parts: ProviderPart[] = [];
  const tell = (part: ProviderPart) => void parts.push(part);
  const reader = open({ headers: new Headers(), requestId: undefined, tell });
  read(reader);
  reader.finish({});
  return parts;
}

/** What the reader of a wire tells of a stream's events. */
export function toldOfEvents(
  open: (facts: AnswerFacts) => AnswerReader,
  events: readonly unknown[],
): readonly ProviderPart[] {
  return toldBy(open, (reader) => {
    for (const event of events) reader.readEvent(event);
  });
}

/** What the reader of a wire tells of a whole answer. */
export function toldOfBody(
  open: (facts: AnswerFacts) => AnswerReader,
  body: unknown,
): readonly ProviderPart[] {
  return toldBy(open, (reader) => reader.readBody(body));
}
