/** A message is for people: longer names are cut. */
const maxNameLength = 100;

/** More names than these are counted, not listed. */
const maxListed = 20;

/** The text, cut in its middle when it is longer than `maxLength` characters. */
export function shortened(text: string, maxLength = maxNameLength): string {
  if (text.length <= maxLength) return text;
  const half = Math.floor(maxLength / 2);
  return `${text.slice(0, half)}… (${text.length} characters) …${text.slice(-half)}`;
}

/** A name for an error message; anything else than a string by its kind, since it may not convert to one. */
export function quoted(name: unknown): string {
  if (typeof name === 'string') return `"${shortened(name)}"`;
  if (name === undefined || name === null) return String(name);
  if (Array.isArray(name)) return 'a list';
  return typeof name === 'object' ? 'an object' : `a ${typeof name}`;
}

/** Names for an error message; of many, the first. */
export function quotedList(names: readonly string[]): string {
  const listed = names.slice(0, maxListed).map(quoted).join(', ');
  return names.length > maxListed ? `${listed} and ${names.length - maxListed} more` : listed;
}
