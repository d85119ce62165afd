import { describe, expect, it } from 'vitest';
import type { Plugin } from '../../src/index.ts';
import { testPlugin } from '../../src/testing.ts';
import { hideName } from '../support/plugins.ts';

/** The cases that a plugin fails. */
async function failedBy(plugin: () => Plugin): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, run } of testPlugin({ plugin })) {
    await run().catch(() => failed.push(name));
  }
  return failed;
}

describe('testPlugin', () => {
  describe.each([
    ['redacts', { plugin: () => hideName('Redis') }],
    ['does nothing', { plugin: (): Plugin => ({ name: 'idle' }) }],
    ['adds text at the end', { plugin: (): Plugin => ({ name: 'adds', ...appending() }) }],
  ])('passes a plugin that %s', (_, options) => {
    for (const { name, run } of testPlugin(options)) it(name, run);
  });

  it.each<[string, () => Plugin, string]>([
    [
      'blocks every call',
      () => ({ name: 'p', onRequest: () => ({ block: { rule: 'all' } }) }),
      'lets an answer through',
    ],
    [
      'changes deltas only',
      () => ({ name: 'p', onParts: () => ({ parts: (batch) => batch.map(shouted) }) }),
      'gives a stream the same answer as complete',
    ],
    [
      'replaces words within one delta only',
      () => ({ name: 'p', onParts: () => ({ parts: (batch) => batch.map(renamed) }) }),
      'does not depend on how the text is cut into parts',
    ],
    ['keeps text over a restart', holding, 'starts over when the answer restarts'],
    ['keeps state outside of a call', sharing, 'keeps calls apart that run at the same time'],
    [
      'leaves a timer',
      () => ({
        name: 'p',
        onRequest(request, call) {
          void call.runtime.sleep(1e9);
          return request;
        },
      }),
      'ends with the call when it is aborted',
    ],
    ['hides the error of a call', hiding, 'passes the failure of a call on'],
    [
      'quotes the prompt',
      () => ({ name: 'p', onRequest: (request) => ({ block: { rule: JSON.stringify(request) } }) }),
      'says nothing of the prompt in its errors',
    ],
    [
      'has a listener that throws',
      () => ({ name: 'p', on: { retry: () => Promise.reject(new Error('no')) } }),
      'has no listener that fails',
    ],
    ['cannot be closed twice', () => ({ name: 'p', close: once }), 'can be closed'],
  ])('fails a plugin that %s', async (_, plugin, name) => {
    expect(await failedBy(plugin)).toContain(name);
  });

  it('rejects options without a plugin', () => {
    expect(() => testPlugin({} as never)).toThrow('testPlugin().plugin: must be a function');
    expect(() => testPlugin(undefined as never)).toThrow(
      'testPlugin(): must be called with an object',
    );
  });
});

type Parts = Parameters<ReturnType<NonNullable<Plugin['onParts']>>['parts']>[0];

function shouted(part: Parts[number]): Parts[number] {
  return part.type === 'text-delta' ? { ...part, delta: part.delta.toUpperCase() } : part;
}

function renamed(part: Parts[number]): Parts[number] {
  const rename = (text: string) => text.replaceAll('Redis', 'Valkey');
  if (part.type === 'text-delta') return { ...part, delta: rename(part.delta) };
  if (part.type !== 'part-end' || part.part.type !== 'text') return part;
  return { ...part, part: { ...part.part, text: rename(part.part.text) } };
}

/** Says something after each text. */
function appending(): Pick<Plugin, 'onParts'> {
  const more = ' (checked)';
  return {
    onParts: () => ({
      parts: (batch) =>
        batch.flatMap((part): Parts => {
          if (part.type !== 'part-end' || part.part.type !== 'text') return [part];
          const { text } = part.part;
          const whole = { ...part.part, text: text + more };
          return [
            { type: 'text-delta', delta: more },
            { type: 'part-end', part: whole },
          ];
        }),
    }),
  };
}

/** Holds all text until a part ends, and forgets nothing. */
function holding(): Plugin {
  return {
    name: 'p',
    onParts() {
      let held = '';
      return {
        parts: (batch) =>
          batch.flatMap((part): Parts => {
            if (part.type === 'text-delta') {
              held += part.delta;
              return [];
            }
            if (part.type !== 'part-end' || held === '') return [part];
            const delta = held;
            held = '';
            return [{ type: 'text-delta', delta }, part];
          }),
      };
    },
  };
}

function sharing(): Plugin {
  let held = '';
  return {
    name: 'p',
    onParts: () => ({
      parts: (batch) =>
        batch.flatMap((part): Parts => {
          if (part.type === 'text-delta') {
            held += part.delta;
            return [];
          }
          if (part.type !== 'part-end' || held === '') return [part];
          const delta = held;
          held = '';
          return [{ type: 'text-delta', delta }, part];
        }),
    }),
  };
}

function hiding(): Plugin {
  return {
    name: 'p',
    async *wrapCall(_, next) {
      try {
        yield* next();
      } catch {
        throw new Error('something went wrong');
      }
    },
  };
}

let isClosed = false;

function once(): void {
  if (isClosed) throw new Error('it is closed already');
  isClosed = true;
}
