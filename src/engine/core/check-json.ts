import { formatPath } from '../../config/problems.ts';
import { SignalboxError } from '../../errors.ts';
import { dataFlaws } from '../../internal/data-flaws.ts';

function wrong(path: string, what: string): SignalboxError {
  return new SignalboxError('config', `${path}: ${what}`);
}

/**
 * Holds that a value can be written as JSON.
 * @throws SignalboxError `config` that names where it cannot.
 */
export function checkJson(value: unknown, path: string): void {
  const [flaw] = dataFlaws(value);
  if (flaw !== undefined) {
    throw wrong(path, `must be JSON; ${formatPath(flaw.path) || 'it'} ${flaw.message}`);
  }
  let json: unknown;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw new SignalboxError('config', `${path}: must be JSON; this cannot be written as such`, {
      cause,
    });
  }
  if (json === undefined)
    throw wrong(path, 'must be JSON; for a tool that gives nothing, say null');
}
