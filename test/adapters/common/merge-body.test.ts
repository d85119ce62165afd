import { expect, it } from 'vitest';
import { mergeBody } from '../../../src/wires/common/request.ts';

it('merges objects field by field and replaces everything else', () => {
  const body = { a: { b: 1, c: [1] }, d: 'x', e: { f: 1 } };
  expect(mergeBody(body, { a: { c: [2], g: null }, d: { h: 1 }, e: 2 })).toEqual({
    a: { b: 1, c: [2], g: null },
    d: { h: 1 },
    e: 2,
  });
  expect(body.a).toEqual({ b: 1, c: [1] });
});

it('returns the body without extra fields', () => {
  expect(mergeBody({ a: 1 }, undefined)).toEqual({ a: 1 });
});
