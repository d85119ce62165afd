import { documentError } from './parse-document.ts';

/** @throws SignalboxError `config` for an interval that would poll without a pause, or never */
export function checkInterval(source: string, ms: unknown, option = 'everyMs'): void {
  if (typeof ms === 'number' && ms > 0 && Number.isFinite(ms)) return;
  throw documentError(`${source}: ${option} must be a positive number of milliseconds`);
}
