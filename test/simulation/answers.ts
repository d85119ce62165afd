import { z } from 'zod';

/** The correct answer to call `number`. It depends only on the number, so any answer can be checked. */
export function correctAnswer(number: number): string {
  const words = Array.from({ length: 4 + (number % 7) }, (_, at) => `${number}.${at}`);
  return [`#${number}`, ...words, `/${number}`].join(' ');
}

export const answerSchema = z.object({ call: z.number(), end: z.string() });

export function correctObject(number: number): z.infer<typeof answerSchema> {
  return { call: number, end: `/${number}` };
}

export function promptOf(number: number): string {
  return `call ${number}`;
}

/** The call's number in a prompt. */
export function numberIn(prompt: string): number {
  const [, digits] = /call (\d+)/.exec(prompt) ?? [];
  if (digits === undefined) throw new Error(`not a prompt of the simulation: ${prompt}`);
  return Number(digits);
}
