const mark = 'fire drill';

/** Says of what the trail tells that a fire drill made it so. */
export function drilledReason(reason?: string): string {
  return reason === undefined ? mark : `${mark}: ${reason}`;
}
