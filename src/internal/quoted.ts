/** Longer names are cut. */
const maxNameLength = 100;

/** Further names are counted, not listed. */
const maxListed = 20;

/** Cuts the middle of a text that is longer than `maxLength` characters. */
export function shortened(text: string, maxLength = maxNameLength): string {
  if (text.length <= maxLength) return text;
  const half = Math.floor(maxLength / 2);
  return `${text.slice(0, half)}… (${text.length} characters) …${text.slice(-half)}`;
}

/** Quotes a name for an error message. Describes other values by their type, since they may not convert to a string. */
export function quoted(name: unknown): string {
  if (typeof name === 'string') return `"${shortened(name)}"`;
  if (name === undefined || name === null) return String(name);
  if (Array.isArray(name)) return 'a list';
  return typeof name === 'object' ? 'an object' : `a ${typeof name}`;
}

/** Lists names for an error message, the first ones if there are many. */
export function quotedList(names: readonly string[]): string {
  const listed = names.slice(0, maxListed).map(quoted).join(', ');
  return names.length > maxListed ? `${listed} and ${names.length - maxListed} more` : listed;
}
