import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The simulated vendors, in a separate process. */
export type Vendors = {
  readonly url: string;
  /** Number of TCP connections accepted so far. */
  connections(): Promise<number>;
  stop(): void;
};

export async function startVendors(): Promise<Vendors> {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)));
  const [{ port }] = await once(child, 'message');
  return {
    url: `http://127.0.0.1:${port}`,
    async connections() {
      child.send('connections?');
      const [{ connections }] = await once(child, 'message');
      return connections;
    },
    stop: () => child.disconnect(),
  };
}
