import { exchange } from '../../transport/exchange.ts';

/** {@link exchange} for a client that the caller made: it may look for credentials, and find none. */
export const exchangeOfClient: typeof exchange = (context, send) =>
  exchange(
    context,
    send,
    "the SDK gave up before it sent the request: check the client's credentials",
  );
