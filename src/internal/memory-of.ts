/** About what an object or array takes in memory by itself, in bytes, and each of its members or elements. */
const containerBytes = 64;
const memberBytes = 16;

/**
 * About how many bytes a value made of JSON takes in memory. Counting stops above `limit`, so that a large value costs
 * no more than that, and one that contains itself comes to an end. Nesting may be of any depth.
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
