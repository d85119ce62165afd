import { globSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

/** With a separator at the end. */
export const root = join(import.meta.dirname, '../..') + sep;

/** Where the files of the repository are shown. The README links to them in full: npm shows it too. */
const repository = 'https://github.com/signalbox-js/signalbox/blob/main/';

/** The pages of the project: those at the root, and all under docs/, as paths from the root. */
export const pages: readonly string[] = [
  'README.md',
  'CHANGELOG.md',
  ...globSync('docs/**/*.md', { cwd: root })
    .map((path) => path.replaceAll(sep, '/'))
    .sort(),
];

export function readPage(page: string): string {
  return readFileSync(`${root}${page}`, 'utf8');
}

/** A fenced code block. */
export type Fence = {
  readonly page: string;
  /** Line number of the first line of code, from 1. */
  readonly line: number;
  /** The text after the opening backticks, such as `ts` or `ts no-check`. */
  readonly info: string;
  readonly code: string;
};

/** All fenced blocks of a page. Supports only fences of three backticks at the start of a line. */
export function fencesOf(page: string): readonly Fence[] {
  const fences: Fence[] = [];
  let open: { readonly line: number; readonly info: string; readonly code: string[] } | undefined;
  for (const [index, text] of readPage(page).split('\n').entries()) {
    if (!text.startsWith('```')) {
      open?.code.push(text);
    } else if (open === undefined) {
      open = { line: index + 2, info: text.slice(3).trim(), code: [] };
    } else {
      fences.push({ page, line: open.line, info: open.info, code: open.code.join('\n') });
      open = undefined;
    }
  }
  return fences;
}

/** The lines of a page, with fenced blocks blanked so that line numbers stay the same. */
function proseOf(page: string): readonly string[] {
  let isCode = false;
  return readPage(page)
    .split('\n')
    .map((line) => {
      const isFence = line.startsWith('```');
      if (isFence) isCode = !isCode;
      return isCode || isFence ? '' : line;
    });
}

/** The anchors that GitHub generates for the headings of a page. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const headings = proseOf(page).filter((line) => /^#{1,6} /.test(line));
  return new Set(
    headings.map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

export type Link = {
  readonly page: string;
  readonly line: number;
  /** A path from the page's folder, or a heading. */
  readonly to: string;
  /** Whether the page has the link in full, as a page needs that is shown elsewhere. */
  readonly isAbsolute: boolean;
};

/** The way from a page's folder to the root. */
function upFrom(page: string): string {
  return '../'.repeat(page.split('/').length - 1);
}

/** The links of a page to other files or headings of the repository. */
export function linksOf(page: string): readonly Link[] {
  return proseOf(page).flatMap((text, index) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((match) => match[1] ?? '')
      .filter((to) => to.startsWith(repository) || !/^[a-z]+:/.test(to))
      .map((to) => ({
        page,
        line: index + 1,
        to: to.startsWith(repository) ? `${upFrom(page)}${to.slice(repository.length)}` : to,
        isAbsolute: to.startsWith(repository),
      })),
  );
}

/**
 * The rows of all tables of a page, or of the section under a second-level heading. Cells are trimmed, without surrounding
 * backticks.
 */
export function rowsOf(page: string, heading?: string): readonly (readonly string[])[] {
  let section: string | undefined;
  const rows: (readonly string[])[] = [];
  for (const line of proseOf(page)) {
    if (line.startsWith('## ')) section = line.slice(3);
    if (!line.startsWith('|') || (heading !== undefined && section !== heading)) continue;
    const cells = line.split('|').slice(1, -1);
    rows.push(cells.map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1')));
  }
  return rows;
}
