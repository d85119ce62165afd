import { SignalboxError } from '../../errors.ts';

/**
 * Loads a vendor's SDK once, on first use.
 * @throws SignalboxError `config` with the install command when the package is missing.
 */
export function lazySdk<Module>(
  packageName: string,
  load: () => Promise<Module>,
): () => Promise<Module> {
  let loading: Promise<Module> | undefined;
  return () => {
    loading ??= load().catch((cause: unknown) => {
      loading = undefined;
      throw new SignalboxError(
        'config',
        `cannot load the package "${packageName}"; install it: npm i ${packageName}`,
        { cause },
      );
    });
    return loading;
  };
}

/** The setting, or else the first environment variable with a value. Blank values count as unset. */
export function settingOrEnvironment(
  setting: string | undefined,
  variables: readonly string[],
): string | undefined {
  if (setting !== undefined && setting.trim() !== '') return setting.trim();
  for (const variable of variables) {
    const value = process.env[variable]?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}
