/** One row: the line it starts at, from 1, and its cells. */
export type CsvRow = { readonly line: number; readonly cells: readonly string[] };

/** A row that cannot be read. */
export class CsvProblem extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/**
 * Reads CSV as RFC 4180 has it: cells between commas, in double quotes if they contain commas, quotes or line breaks.
 * Empty lines are left out.
 * @throws CsvProblem
 */
export function csvRows(text: string): readonly CsvRow[] {
  const rows: CsvRow[] = [];
  let cells: string[] = [];
  let line = 1;
  let start = 1;
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  const endRow = (): void => {
    if (cells.length > 1 || cells[0] !== '') rows.push({ line: start, cells });
    cells = [];
    start = line;
  };
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      const opened = line;
      at += 1;
      for (;;) {
        const end = text.indexOf('"', at);
        if (end < 0) throw new CsvProblem(opened, 'has a quote that does not end');
        cell += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at += 1;
      }
      line += cell.split('\n').length - 1;
      if (at < text.length && !',\r\n'.includes(text[at] ?? '')) {
        throw new CsvProblem(line, 'has text after a closing quote; write two quotes for one');
      }
    } else {
      const rest = /[^,\r\n]*/y;
      rest.lastIndex = at;
      cell = rest.exec(text)?.[0] ?? '';
      at += cell.length;
    }
    cells.push(cell);
    if (text[at] === ',') {
      at += 1;
      if (at < text.length) continue;
      cells.push('');
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    line += 1;
    endRow();
  }
  return rows;
}
