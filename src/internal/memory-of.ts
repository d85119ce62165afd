/** Estimated bytes of memory per object or array, and per member or element. */
const containerBytes = 64;
const memberBytes = 16;

/**
 * Estimates the bytes of memory of a JSON value. Stops counting above `limit`, so that large and cyclic values end early.
 * Works at any depth.
 */
export function memoryOf(value: unknown, limit: number): number {
  let bytes = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && bytes <= limit) {
    const each = open.pop();
    if (typeof each === 'string') bytes += each.length;
    else if (Array.isArray(each)) {
      bytes += containerBytes + each.length * memberBytes;
      if (bytes <= limit) for (const element of each) open.push(element);
    } else if (ArrayBuffer.isView(each)) bytes += each.byteLength;
    else if (typeof each === 'object' && each !== null) {
      const members = Object.values(each);
      bytes += containerBytes + members.length * memberBytes;
      for (const member of members) open.push(member);
    }
  }
  return bytes;
}
