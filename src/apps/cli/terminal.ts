import { styleText } from 'node:util';

/** Where the output is shown. */
export type Terminal = {
  /** The longest line. */
  readonly columns: number;
  readonly color: 'on' | 'off';
};

/** A file, or a program that reads the output. */
export const noTerminal: Terminal = { columns: 80, color: 'off' };

const minColumns = 40;

/** A stream as far as it says whether it is a terminal. */
type Output = {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

/** The terminal behind an output stream. @see https://no-color.org */
export function terminalOf(
  { isTTY, columns = noTerminal.columns }: Output,
  { NO_COLOR = '', TERM }: Readonly<Record<string, string | undefined>>,
): Terminal {
  if (isTTY !== true) return noTerminal;
  const color = NO_COLOR === '' && TERM !== 'dumb' ? 'on' : 'off';
  return { columns: Math.max(columns, minColumns), color };
}

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green';

export function styled(style: Style, text: string, { color }: Terminal): string {
  return color === 'on' ? styleText(style, text, { validateStream: false }) : text;
}

/** Replaces characters that move the cursor or change the direction of text. Names in a document may have any. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\uFFFD');
}

/** Parts of at most `width` characters. */
function chunksOf(text: string, width: number): readonly string[] {
  const chunks: string[] = [];
  let chunk = '';
  for (const character of text) {
    if (chunk !== '' && chunk.length + character.length > width) {
      chunks.push(chunk);
      chunk = '';
    }
    chunk += character;
  }
  return [...chunks, chunk];
}

/** Breaks a text into lines of at most `width` characters, between words where possible. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  const words = text.split(/\s+/).flatMap((word) => chunksOf(printable(word), width));
  for (const word of words) {
    if (line === '') line = word;
    else if (line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** Wrapped lines behind a margin. */
export function indented(text: string, margin: number, { columns }: Terminal): string {
  return wrap(text, columns - margin)
    .map((line) => `${' '.repeat(margin)}${line}`)
    .join('\n');
}

const gap = '  ';

/**
 * Formats rows as a table, one text for each row: the first and the last column left-aligned, the others right-aligned. A first cell that is too
 * long goes on in the next line.
 */
export function table(
  rows: readonly (readonly string[])[],
  { columns }: Terminal,
): readonly string[] {
  const clean = rows.map((row) => row.map(printable));
  const count = clean[0]?.length ?? 0;
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...clean.map((row) => row[column]?.length ?? 0)),
  );
  const others = widths.slice(1).reduce((sum, width) => sum + gap.length + width, 0);
  const first = Math.max(1, Math.min(widths[0] ?? 0, columns - others));
  return clean.map(([name = '', ...cells]) => {
    const [start = '', ...rest] = chunksOf(name, first);
    const shown = cells.map((cell, index) => {
      const width = widths[index + 1] ?? 0;
      return index === cells.length - 1 ? cell : cell.padStart(width);
    });
    return [[start.padEnd(first), ...shown].join(gap).trimEnd(), ...rest].join('\n');
  });
}
