import { z } from 'zod';

/** The correct answer to call `number`. It depends only on the prompt, so any answer can be checked. */
export function correctAnswer(number: number, addresses: readonly string[] = []): string {
  const words = Array.from({ length: 4 + (number % 7) }, (_, at) => `${number}.${at}`);
  return [`#${number}`, ...addresses, ...words, ...addresses, `/${number}`].join(' ');
}

export const answerSchema = z.object({ call: z.number(), end: z.string() });

/** Of calls whose prompts have addresses. Its message, which a repair has, quotes what the caller sees. */
export const addressedSchema = answerSchema.extend({
  call: z.number({ error: ({ input }) => `${String(input)} is not a number` }),
  to: z.string(),
});

export function correctObject(
  number: number,
  [to]: readonly string[] = [],
): z.infer<typeof answerSchema> {
  return { call: number, end: `/${number}`, ...(to !== undefined && { to }) };
}

export function promptOf(number: number, addresses: readonly string[] = []): string {
  return [`call ${number}`, ...addresses.map((address) => `from ${address}`)].join(' , ');
}

/** The addresses in a prompt, or what stands in their place. */
export function addressesIn(prompt: string): readonly string[] {
  const [, ...words] = /call \d+(?: , from (\S+))?(?: , from (\S+))?/.exec(prompt) ?? [];
  return words.filter((word) => word !== undefined);
}

/** The call's number in a prompt. */
export function numberIn(prompt: string): number {
  const [, digits] = /call (\d+)/.exec(prompt) ?? [];
  if (digits === undefined) throw new Error(`not a prompt of the simulation: ${prompt}`);
  return Number(digits);
}
