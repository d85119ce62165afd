import type { Part } from '../../src/protocol/message.ts';
import type { PartsHook, Plugin, PluginParts } from '../../src/protocol/plugin.ts';

/** Every string in a value of parts, replaced. */
export function mapText<Value>(value: Value, map: (text: string) => string): Value {
  return JSON.parse(JSON.stringify(value), (key, each: unknown) =>
    typeof each === 'string' && key !== 'type' && key !== 'id' && key !== 'name' ? map(each) : each,
  );
}

/** Replaces a name by a placeholder in requests, and restores it in answers, however the deltas are cut. */
export function hideName(name: string, placeholder = '[PERSON]'): Plugin {
  const hide = (text: string): string => text.replaceAll(name, placeholder);
  const restore = (text: string): string => text.replaceAll(placeholder, name);

  function restoring(): PartsHook {
    let held = '';
    const whole = (part: Part): Part => mapText(part, restore);
    return {
      parts(batch) {
        return batch.flatMap((part): PluginParts => {
          if (part.type === 'text-delta') {
            const text = held + part.delta;
            const starts = Array.from(placeholder, (_, at) => placeholder.slice(0, at + 1));
            const tail =
              starts.findLast((each) => each !== placeholder && text.endsWith(each)) ?? '';
            held = tail;
            const delta = restore(text.slice(0, text.length - tail.length));
            return delta === '' ? [] : [{ type: 'text-delta', delta }];
          }
          if (part.type !== 'part-end') return [part];
          const rest: PluginParts = held === '' ? [] : [{ type: 'text-delta', delta: held }];
          held = '';
          return [...rest, { type: 'part-end', part: whole(part.part) }];
        });
      },
      restart() {
        held = '';
      },
    };
  }

  return {
    name: 'hide-name',
    onRequest: (request) =>
      request.kind === 'image'
        ? { ...request, prompt: hide(request.prompt) }
        : mapText(request, hide),
    onParts: restoring,
  };
}
