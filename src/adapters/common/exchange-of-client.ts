import { exchange } from '../../transport/exchange.ts';

/** {@link exchange} for a client created by the caller, which may find no credentials. */
export const exchangeOfClient: typeof exchange = (context, send) =>
  exchange(
    context,
    send,
    "the SDK failed before it sent the request: check the client's credentials",
  );
