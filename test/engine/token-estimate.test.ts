import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimateTokens, inputTokensOf, tokensOf } from '../../src/engine/core/token-estimate.ts';
import type { NormalMessage } from '../../src/protocol/message.ts';

const english = `The delivery left the warehouse on Tuesday morning, but nobody at the counter could say which of the three vans carried it. By noon the driver had called twice. The second time he asked whether the customer would accept a replacement, because one of the boxes had been standing in the rain and its label was no longer readable. We agreed to send a new one the same day and to refund the shipping cost.`;

const german = `Die Lieferung hat das Lager am Dienstagmorgen verlassen, aber niemand an der Theke konnte sagen, in welchem der drei Wagen sie lag. Bis zum Mittag hatte der Fahrer zweimal angerufen. Beim zweiten Mal fragte er, ob der Kunde einen Ersatz annehmen würde, weil eine der Kisten im Regen gestanden hatte und ihre Beschriftung nicht mehr lesbar war.`;

const japanese = `荷物は火曜日の朝に倉庫を出ましたが、三台の車のうちどれに積まれていたのか、窓口の誰にも分かりませんでした。昼までに運転手から二回電話がありました。二回目の電話で、箱の一つが雨にぬれてラベルが読めなくなったため、お客様に代わりの品を受け取っていただけるかどうかを尋ねられました。私たちは同じ日に新しい品を送り、送料を返金することにしました。`;

const json = JSON.stringify({
  orders: Array.from({ length: 6 }, (_, index) => ({
    id: 4100 + index,
    sku: `AX-${index}7-${900 + index * 13}`,
    customer: { name: `Customer ${index}`, email: `customer${index}@example.com` },
    lines: [{ quantity: index + 1, priceCents: 1999 + index, taxRate: 0.19 }],
    shippedAt: `2026-03-0${index + 1}T08:1${index}:00Z`,
    refunded: index % 2 === 0,
  })),
});

const code = `export function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

const totals = [...groupBy(orders, ({ customerId }) => customerId)].map(([customerId, list]) => ({
  customerId,
  total: list.reduce((sum, { priceCents, quantity }) => sum + priceCents * quantity, 0) / 100,
}));
`;

const hashes = Array.from({ length: 60 }, (_, index) =>
  ((index * 2_654_435_761) >>> 0).toString(16).padStart(8, '0'),
).join('');

/** With the tokens that the encoding o200k_base has for the text. */
const texts = [
  ['English', english, 81],
  ['German', german, 73],
  ['Japanese', japanese, 132],
  ['JSON', json, 449],
  ['code', code, 155],
  ['hexadecimal digits', hashes, 273],
] as const;

describe('the estimate of tokens', () => {
  it.each(texts)('is within 12 % of the count for %s', (_, text, tokens) => {
    expect(Math.abs(tokensOf([text]) / tokens - 1)).toBeLessThan(0.12);
  });

  it.each(texts)('is close to that of the whole text when a long one is sampled: %s', (_, text) => {
    const count = 400;
    const whole = tokensOf([text]) * count;
    expect(Math.abs(tokensOf(Array(count).fill(text)) / whole - 1)).toBeLessThan(0.1);
    expect(Math.abs(tokensOf([text.repeat(count)]) / whole - 1)).toBeLessThan(0.1);
  });

  it('samples the whole text, not its start', () => {
    const mixed = tokensOf([english.repeat(100), japanese.repeat(237)]);
    expect(mixed).toBeGreaterThan(25_000);
    expect(mixed).toBeLessThan(60_000);
  });

  it('is at most one for each character, and finite, for any texts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 9_000 }), { maxLength: 5 }),
        (any) => {
          const tokens = tokensOf(any);
          expect(tokens).toBeGreaterThanOrEqual(0);
          expect(tokens).toBeLessThanOrEqual(any.join('').length);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([' ', '. ', 'a', 'é', '語', '😀', '\n ', 'A1', '!'])(
    'takes no longer for ten million characters of %j than for a few thousand',
    (unit) => {
      const huge = unit.repeat(10_000_000 / unit.length);
      const startedAt = process.cpuUsage();
      const tokens = tokensOf([huge]);
      const { user } = process.cpuUsage(startedAt);
      // About 1 ms; seconds if the whole text was read.
      expect(user / 1_000).toBeLessThan(400);
      expect(tokens).toBeLessThanOrEqual(huge.length);
    },
  );

  it('is counted once for the messages of a call', () => {
    let reads = 0;
    const part = {
      type: 'text' as const,
      get text() {
        reads += 1;
        return english;
      },
    };
    const messages: readonly NormalMessage[] = [{ role: 'user', content: [part] }];
    expect(inputTokensOf(messages)).toBe(estimateTokens([{ type: 'text', text: english }]));
    const before = reads;
    inputTokensOf(messages);
    expect(reads).toBe(before);
  });
});
