import type { Plugin, PluginParts } from '../../src/index.ts';
import type { Dice } from './dice.ts';

/** Every hook, none of which changes anything: what holds without plugins must hold with them. */
function transparent(name: string): Plugin {
  return {
    name,
    onRequest: async (request) => request,
    async *wrapCall(_, next) {
      yield* next();
    },
    onParts: () => ({ parts: async (batch) => batch, restart: () => undefined, end: () => [] }),
    eligible: () => true,
    async *wrapAttempt(_, next) {
      yield* next();
    },
    accept: async () => true,
    onToolCall: () => 'allow',
  };
}

/** Passes each part on by itself, one part late. */
function delaying(name: string): Plugin {
  return {
    name,
    onParts() {
      let held: PluginParts = [];
      return {
        parts(batch) {
          const all = [...held, ...batch];
          held = all.slice(-1);
          return all.slice(0, -1);
        },
        restart() {
          held = [];
        },
        end: () => held,
      };
    },
  };
}

/** Splits batches, and reads ahead of its reader. */
function splitting(name: string): Plugin {
  return {
    name,
    async *wrapCall(_, next) {
      let ahead: PluginParts = [];
      for await (const batch of next()) {
        if (ahead.length > 0) yield ahead;
        for (const part of batch.slice(0, -1)) yield [part];
        ahead = batch.slice(-1);
      }
      yield ahead;
    },
  };
}

const kinds = [transparent, delaying, splitting] as const;

/** The plugins of a world: none in most. */
export function pluginsOf(dice: Dice): readonly Plugin[] {
  if (!dice.chance(0.3)) return [];
  const count = dice.between(1, 3);
  return Array.from({ length: count }, (_, index) => dice.oneOf(kinds)(`plugin-${index}`));
}
