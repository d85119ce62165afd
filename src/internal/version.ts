/** The version in `package.json`; a test compares them. */
export const version = '0.1.0';

/** The `user-agent` of all requests, except those of clients that the user made. */
export const userAgent = `signalbox/${version}`;
