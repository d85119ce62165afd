import { version } from '../internal/version.ts';

/** The `user-agent` of all requests, except those of clients that the user made. */
export const userAgent = `signalbox/${version}`;
