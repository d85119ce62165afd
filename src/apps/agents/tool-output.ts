import { dataFlaws, mediaProblem } from '../../internal/caller-data.ts';
import type { Json } from '../../protocol/json.ts';
import type { FilePart, ImagePart, TextPart, ToolResultPart } from '../../protocol/message.ts';
import type { ToolOutput } from './tool.ts';

type Output = Exclude<ToolOutput, undefined>;
type OutputPart = TextPart | ImagePart | FilePart;

/** Longer JSON would not fit into a prompt, and is most likely a mistake. */
const maxCharacters = 1_000_000;

const mediaTypes: readonly unknown[] = ['image', 'file'];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isPart(value: unknown): value is OutputPart {
  if (!isObject(value)) return false;
  if (value.type === 'text') return typeof value.text === 'string';
  return mediaTypes.includes(value.type) && mediaProblem(value.source) === undefined;
}

/** A tool returned something that the model cannot get. */
export class UnusableOutput extends Error {
  override readonly name = 'UnusableOutput';
}

/** @throws UnusableOutput */
function checkLength(length: number, of: string): void {
  if (length <= maxCharacters) return;
  throw new UnusableOutput(
    `the output of the tool has ${length} characters of ${of}; at most ${maxCharacters} are sent`,
  );
}

function jsonOf(value: unknown): Json {
  // Writing it would take seconds.
  if (typeof value === 'string') checkLength(value.length + '""'.length, 'JSON');
  const [flaw] = dataFlaws(value);
  if (flaw !== undefined) {
    const path = flaw.path.map(String).join('.');
    throw new UnusableOutput(
      `the output of the tool must be JSON: ${path || 'it'} ${flaw.message}`,
    );
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new UnusableOutput('the output of the tool must be JSON; see cause', { cause });
  }
  if (text === undefined) {
    throw new UnusableOutput(`the output of the tool must be JSON: it is a ${typeof value}`);
  }
  checkLength(text.length, 'JSON');
  return JSON.parse(text);
}

/**
 * What the model gets: a copy, which the tool cannot change later.
 * @throws UnusableOutput
 */
export function outputOf(value: unknown): Output {
  if (value === undefined) return null;
  if (Array.isArray(value) && value.length > 0 && value.every(isPart)) {
    const parts: readonly OutputPart[] = value;
    checkLength(
      parts.reduce((sum, part) => sum + (part.type === 'text' ? part.text.length : 0), 0),
      'text',
    );
    return parts.map((part) => ({ ...part }));
  }
  return jsonOf(value);
}

/** A result that says why there is none. */
export function failedResult(
  { id, name }: { readonly id: string; readonly name: string },
  text: string,
): ToolResultPart {
  return { type: 'tool-result', id, name, output: text, isError: true };
}
