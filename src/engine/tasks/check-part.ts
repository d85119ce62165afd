import { SignalboxError } from '../../errors.ts';
import { mediaProblem } from '../../internal/media-problem.ts';
import type { Part } from '../../protocol/message.ts';
import { checkJson } from '../core/check-json.ts';

/** A field of a part, from outside: it may hold anything. */
type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a part's own fields. @throws SignalboxError `config` */
type Check = (part: Fields, path: string) => void;

function wrong(path: string, what: string): SignalboxError {
  return new SignalboxError('config', `${path}: ${what}`);
}

function checkStrings(part: Fields, path: string, names: readonly string[]): void {
  for (const name of names) {
    if (typeof part[name] !== 'string') throw wrong(`${path}.${name}`, 'must be a string');
  }
}

function checkOptionalString(part: Fields, path: string, name: string): void {
  if (part[name] !== undefined) checkStrings(part, path, [name]);
}

const opaqueFields = ['wire', 'provider', 'model', 'kind', 'data'];

/** Replay data comes from an answer, and goes back as it came. */
function checkOpaque({ opaque }: Fields, path: string): void {
  if (opaque === undefined) return;
  if (typeof opaque !== 'object' || opaque === null) {
    throw wrong(`${path}.opaque`, 'must be an object of an answer, as it came, or left out');
  }
  checkStrings(opaque as Fields, `${path}.opaque`, opaqueFields);
}

function checkCache({ cache }: Fields, path: string): void {
  if (cache === undefined || typeof cache === 'boolean') return;
  const ttl: unknown = typeof cache === 'object' && cache !== null && Reflect.get(cache, 'ttl');
  if (ttl === undefined || typeof ttl === 'string') return;
  throw wrong(`${path}.cache`, 'must be true, false or { ttl }');
}

const checkText: Check = (part, path) => {
  checkStrings(part, path, ['text']);
  checkOpaque(part, path);
  checkCache(part, path);
};

const checkMedia: Check = (part, path) => {
  const problem = mediaProblem(part.source);
  if (problem !== undefined) throw wrong(`${path}.source`, problem);
  checkOptionalString(part, path, 'filename');
  checkCache(part, path);
};

const checks = {
  text: checkText,
  image: checkMedia,
  audio: checkMedia,
  file: checkMedia,
  reasoning: checkText,
  refusal: checkText,
  'tool-call'(part, path) {
    checkStrings(part, path, ['id', 'name']);
    checkOptionalString(part, path, 'rawInput');
    checkJson(part.input, `${path}.input`);
    checkOpaque(part, path);
  },
  'tool-result'(part, path) {
    checkStrings(part, path, ['id', 'name']);
    checkJson(part.output, `${path}.output`);
    checkCache(part, path);
  },
} as const satisfies Record<Part['type'], Check>;

function isPartType(type: unknown): type is Part['type'] {
  return typeof type === 'string' && Object.hasOwn(checks, type);
}

/**
 * Holds that a part is one that every adapter can read.
 * @throws SignalboxError `config` that names the field in error.
 */
export function checkPart(part: unknown, path: string): asserts part is Part {
  const type: unknown = typeof part === 'object' && part !== null && Reflect.get(part, 'type');
  if (!isPartType(type)) {
    const types = Object.keys(checks).map((known) => `"${known}"`);
    throw wrong(`${path}.type`, `must be one of ${types.join(', ')}`);
  }
  checks[type](part as Fields, path);
}
