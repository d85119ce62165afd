import { z } from 'zod';

/** The right answer to call `number`: nobody has to ask a vendor to know whether an answer is whole and its own. */
export function rightAnswer(number: number): string {
  const words = Array.from({ length: 4 + (number % 7) }, (_, at) => `${number}.${at}`);
  return [`#${number}`, ...words, `/${number}`].join(' ');
}

export const answerSchema = z.object({ call: z.number(), end: z.string() });

export function rightObject(number: number): z.infer<typeof answerSchema> {
  return { call: number, end: `/${number}` };
}

export function promptOf(number: number): string {
  return `call ${number}`;
}

/** The number of the call that a prompt is of. */
export function numberIn(prompt: string): number {
  const [, digits] = /call (\d+)/.exec(prompt) ?? [];
  if (digits === undefined) throw new Error(`not a prompt of the simulation: ${prompt}`);
  return Number(digits);
}
