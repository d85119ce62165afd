import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import type { AnswerContext, AnswerReader } from '../../src/wires/common/read-answer.ts';

/** The parts that an answer reader emits while `read` runs. */
export function emittedBy<Reader extends Pick<AnswerReader, 'finish'>>(
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

/** The parts that a reader emits for the events of a stream. */
export function emittedForEvents(
  open: (context: AnswerContext) => AnswerReader,
  events: readonly unknown[],
): readonly ProviderPart[] {
  return emittedBy(open, (reader) => {
    for (const event of events) reader.readEvent(event);
  });
}

/** The parts that a reader emits for a whole answer. */
export function emittedForBody(
  open: (context: AnswerContext) => AnswerReader,
  body: unknown,
): readonly ProviderPart[] {
  return emittedBy(open, (reader) => reader.readBody(body));
}
