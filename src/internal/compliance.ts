const declarations: Readonly<Record<string, string>> = {
  region: 'string',
  zeroRetention: 'boolean',
  noTraining: 'boolean',
};

/** Whether the value is a declaration of compliance: a misspelt field would silently declare nothing. */
export function isCompliance(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(
    ([name, each]) =>
      Object.hasOwn(declarations, name) &&
      (each === undefined || typeof each === declarations[name]),
  );
}

/** What a declaration of compliance must be, for messages. */
export const complianceForm =
  'an object that can contain region (a string), zeroRetention and noTraining (true or false)';
