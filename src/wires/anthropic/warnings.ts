import type { Warning } from '../../protocol/completion.ts';

export function dropped(param: string, why: string): Warning {
  return { code: 'dropped-param', param, message: `${param} was dropped: ${why}` };
}

export function adjusted(param: string, message: string): Warning {
  return { code: 'adjusted-param', param, message };
}
