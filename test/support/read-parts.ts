import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import type { AnswerFacts, AnswerReader } from '../../src/wires/common/read-answer.ts';

/** The parts that a reader emits while it reads an answer. */
export function partsOf<Reader extends Pick<AnswerReader, 'finish'>>(
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

/** The parts that a reader emits for the events of a stream. */
export function partsOfEvents(
  open: (facts: AnswerFacts) => AnswerReader,
  events: readonly unknown[],
): readonly ProviderPart[] {
  return partsOf(open, (reader) => {
    for (const event of events) reader.readEvent(event);
  });
}

/** The parts that a reader emits for a JSON body. */
export function partsOfBody(
  open: (facts: AnswerFacts) => AnswerReader,
  body: unknown,
): readonly ProviderPart[] {
  return partsOf(open, (reader) => reader.readBody(body));
}
