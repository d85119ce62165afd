import { describe, expect, it } from 'vitest';
import type { Opaque } from '../../src/protocol/message.ts';
import { decodeOpaque, encodeOpaque } from '../../src/wires/common/client-opaque.ts';

const origin = { wire: 'anthropic', provider: 'claude', model: 'claude-sonnet-5' };

const forged = (fields: unknown): string =>
  `sb1.${Buffer.from(JSON.stringify(fields)).toString('base64url')}`;

describe('replay data for clients', () => {
  it.each<Opaque>([
    { ...origin, kind: 'signature', data: 'EqQBCkYIBxgC+/=' },
    { ...origin, kind: 'redacted', data: 'abc', key: 3 },
    { ...origin, kind: 'thought-signature', data: 'AbC_-' },
    { ...origin, kind: 'encrypted', data: '{"id":"rs_1","encrypted_content":"gAAA"}' },
    {
      ...origin,
      kind: 'encrypted',
      data: '[{"type":"reasoning.text","text":"é","signature":"s"}]',
    },
    { ...origin, kind: 'reasoning-content', data: 'reasoning_content' },
  ])('comes back as it was: $kind', (opaque) => {
    const text = encodeOpaque(opaque);
    expect(text).toMatch(/^[!-~]+$/);
    expect(decodeOpaque(text)).toEqual(opaque);
  });

  it('leaves out what a client could forge into a message: items of a vendor', () => {
    const item: Opaque = { ...origin, kind: 'item', data: '{"type":"web_search_call"}' };
    expect(encodeOpaque(item)).toBeUndefined();
    const { wire, provider, model } = origin;
    expect(decodeOpaque(forged([wire, provider, null, model, 'item', item.data]))).toBeUndefined();
  });

  it.each([
    ['text', 'abc'],
    ['a number', 1],
    ['another format', 'sb2.W10'],
    ['no JSON', 'sb1.eyJ'],
    ['too few fields', forged(['anthropic'])],
    ['an unknown kind', forged(['w', 'p', null, 'm', 'constructor', 'x'])],
    [
      'a field to overwrite',
      forged(['openai-chat', 'p', null, 'm', 'reasoning-content', 'content']),
    ],
    ['details of another type', forged(['w', 'p', null, 'm', 'encrypted', '[{"type":"text"}]'])],
    [
      'details with objects',
      forged(['w', 'p', null, 'm', 'encrypted', '[{"type":"reasoning.a","x":{}}]']),
    ],
    ['a signature of words', forged(['w', 'p', null, 'm', 'signature', 'two words'])],
    ['a key that is none', forged(['w', 'p', -1, 'm', 'signature', 'x'])],
    ['a name with a line break', forged(['w', 'p\n', null, 'm', 'signature', 'x'])],
    ['too much', `sb1.${'A'.repeat(1_000_001)}`],
    ['deep JSON', forged(['w', 'p', null, 'm', 'encrypted', '['.repeat(500) + ']'.repeat(500)])],
  ])('drops %s', (_, text) => {
    expect(decodeOpaque(text)).toBeUndefined();
  });
});
