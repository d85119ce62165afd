import { styled, type Terminal } from './terminal.ts';

/** Where a command reports its progress: not its output, so that the output can be piped. */
export type Notes = {
  /** `bar`: a terminal, whose last line is replaced. `lines`: everything else. */
  readonly kind: 'bar' | 'lines';
  readonly terminal: Terminal;
  write(text: string): void;
};

/** Nobody reads it. */
export const noNotes: Notes = {
  kind: 'lines',
  terminal: { columns: 80, color: 'off' },
  write: () => undefined,
};

export type Progress = {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** Shown behind the count. */
  readonly suffix: string;
};

const barWidth = 24;

/** Lines are written for each tenth of the work: a log of a CI job is read later. */
const steps = 10;

/** Shows how far something is: a bar that moves, or a line from time to time. */
export class ProgressNotes {
  readonly #notes: Notes;
  #written = '';
  #step = -1;
  #label = '';

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  show({ label, done, total, suffix }: Progress): void {
    const share = total === 0 ? 1 : done / total;
    const text = `${label}  ${done}/${total}  ${suffix}`;
    const { kind, terminal } = this.#notes;
    if (kind === 'bar') {
      const full = Math.round(share * barWidth);
      const bar = '█'.repeat(full) + '░'.repeat(barWidth - full);
      const line = `${styled('green', bar, terminal)} ${text.slice(0, terminal.columns - barWidth - 2)}`;
      if (line === this.#written) return;
      this.#written = line;
      this.#notes.write(`\r${line}\u001B[K`);
      return;
    }
    if (label !== this.#label) this.#step = -1;
    this.#label = label;
    const step = Math.floor(share * steps);
    if (step === this.#step) return;
    this.#step = step;
    this.#notes.write(`${text}\n`);
  }

  /** Removes the bar. */
  end(): void {
    if (this.#notes.kind === 'bar' && this.#written !== '') this.#notes.write('\r\u001B[K');
  }
}
