/** The tag of calls that an evaluation makes: its suite. Fire drills leave them out. */
export const evalTag = 'eval';
