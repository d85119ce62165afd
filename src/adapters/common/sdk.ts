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
        `the package "${packageName}" could not be loaded; install it: npm i ${packageName}`,
        { cause },
      );
    });
    return loading;
  };
}

/** A setting, or the first of the environment variables that holds something. Blank counts as unset. */
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
