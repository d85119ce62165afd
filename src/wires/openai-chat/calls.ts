import { checkCount, maxAnswerParts } from '../../transport/answer-bound.ts';
import type { ToolInput } from '../common/tool-input.ts';

/** A tool call. Its name may arrive after the first arguments, which are `buffered` until then. */
export type Call = {
  readonly slot: string;
  id: string;
  name: string | undefined;
  started: boolean;
  buffered: string;
  /** The id that the vendor gave. */
  vendorId: string | undefined;
  /** Whether the name came again after whole arguments: in every piece, or at the start of another call. */
  isNamedAgain: boolean;
};

/** What one delta says about a tool call. */
export type CallPiece = {
  readonly index: number | undefined;
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** The arguments, or a part of them. */
  readonly input: string;
  /** Whether a call with this index came before in the same chunk. */
  readonly isSecond: boolean;
};

function isObjectStart(input: string): boolean {
  return input.trimStart().startsWith('{');
}

/**
 * Finds the tool call that a delta belongs to. Index, id, name and arguments decide together, because many servers omit
 * the index or the id, number all calls the same, or give every piece a new id.
 */
export class CallPlaces {
  readonly #inputOf: (slot: string) => ToolInput | undefined;
  readonly #byIndex = new Map<number, Call>();
  readonly #byId = new Map<string, Call>();
  #latestIndex = -1;
  #latest: Call | undefined;
  #count = 0;

  constructor(inputOf: (slot: string) => ToolInput | undefined) {
    this.#inputOf = inputOf;
  }

  find(piece: CallPiece): Call {
    const { id, name } = piece;
    const known = this.#known(piece);
    if (known === undefined) return this.#open(piece, name);
    if (this.#isNext(known, piece)) return this.#open(piece, name ?? known.name);
    if (!known.started) {
      known.id = id ?? known.id;
      known.name ??= name;
    }
    if (id === undefined) return known;
    known.vendorId ??= id;
    this.#byId.set(id, known);
    checkCount(this.#byId.size, 'ids of tool calls', maxAnswerParts);
    return known;
  }

  /** The call that the piece continues, unless it begins another one. */
  #known({ index, id, name, input }: CallPiece): Call | undefined {
    const byId = id === undefined ? undefined : this.#byId.get(id);
    if (index === undefined) return byId ?? this.#latest;
    // Without a name the piece begins nothing, so its id says more than its index.
    if (name === undefined && byId !== undefined) return byId;
    const known = this.#byIndex.get(index);
    if (known !== undefined) return known;
    const other = byId ?? (name === undefined ? this.#latest : undefined);
    const isContinued = other !== undefined && this.#inputOf(other.slot)?.isContinuedBy(input);
    return isContinued ? other : undefined;
  }

  /** Whether the piece begins another call. */
  #isNext(known: Call, piece: CallPiece): boolean {
    const { index, id, name, input, isSecond } = piece;
    const isOtherId = id !== undefined && known.vendorId !== undefined && id !== known.vendorId;
    const sent = this.#inputOf(known.slot);
    if (!known.started || sent === undefined) return isOtherId && index === undefined;
    if (name === undefined) return sent.isWhole && known.isNamedAgain && isObjectStart(input);
    const isSameName = name === known.name;
    if (isOtherId) {
      // Some servers give every piece a new id.
      const isContinued = sent.isContinuedBy(input) || (sent.isEmpty && input !== '');
      return isSecond || !isSameName || !isContinued;
    }
    if (id !== undefined && id === known.vendorId) return !isSameName || sent.isFollowedBy(input);
    if (isSecond || !isSameName) return true;
    if (!sent.isWhole || sent.text === input) return false;
    known.isNamedAgain = true;
    return input.trim() !== '';
  }

  #open({ index, id }: CallPiece, name: string | undefined): Call {
    const at = index ?? this.#latestIndex + 1;
    checkCount(++this.#count, 'tool calls');
    const call: Call = {
      slot: `call ${this.#count}`,
      id: id ?? `call_${this.#count}`,
      name,
      started: false,
      buffered: '',
      vendorId: id,
      isNamedAgain: false,
    };
    this.#byIndex.set(at, call);
    if (id !== undefined) this.#byId.set(id, call);
    this.#latestIndex = Math.max(this.#latestIndex, at);
    this.#latest = call;
    return call;
  }
}
