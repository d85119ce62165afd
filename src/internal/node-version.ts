/** The oldest supported version of Node, as in `engines` of `package.json`; a test compares them. */
export const oldestNode = '22.13';

type Versions = Readonly<Record<string, string | undefined>>;

/** Runtimes that report a version of Node whose features they may not match. */
const others = ['bun', 'deno'];

function systemVersions(): Versions {
  // An edge runtime may have no `process`, or one without versions.
  const system: { readonly process?: { readonly versions?: Versions } } = globalThis;
  return system.process?.versions ?? {};
}

/** What to do when Node is too old; `undefined` when it is not, or when this is another runtime. */
export function nodeVersionProblem(versions: Versions = systemVersions()): string | undefined {
  if (versions.node === undefined || others.some((name) => versions[name] !== undefined)) {
    return undefined;
  }
  const [major = 0, minor = 0] = versions.node.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode.split('.').map(Number);
  const isOld = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  return isOld
    ? `signalbox needs Node ${oldestNode} or later, and this is Node ${versions.node}; update Node`
    : undefined;
}
