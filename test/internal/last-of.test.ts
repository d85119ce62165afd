import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const src = join(import.meta.dirname, '../../src');

/** Made once for a router or an error, or by few calls. */
const rare = ['OpenScope', 'PlainRequests', 'Pulled'];

/** Classes whose instances come and go with calls, and the code of each. */
const classes = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/^(cli|testing)/.test(file))
  .flatMap((file) =>
    readFileSync(join(src, file), 'utf8')
      .split(/^(?=(?:export )?class )/m)
      .slice(1)
      .map((code) => [/class (\w+)/.exec(code)?.[1] ?? '', code] as const),
  )
  .filter(([name, code]) => !/^[^{]*extends \w*Error/.test(code) && !rare.includes(name));

/** The kinds that a class says it is the last of. */
function kindsOf(code: string): readonly string[] {
  return [...code.matchAll(/^ {4}lastOf\.(\w+) = this;$/gm)].map(([, kind = '']) => kind);
}

describe('the last object of each kind', () => {
  it.each(classes)('%s says that it is there', (_, code) => {
    expect(kindsOf(code)).toHaveLength(1);
  });

  it('is one of a kind', () => {
    const kinds = classes.flatMap(([, code]) => kindsOf(code));
    expect(kinds).toHaveLength(new Set(kinds).size);
  });
});
