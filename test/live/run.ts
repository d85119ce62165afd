/** Runs the adapter contract against real vendors: `npm run live`. See docs/live.md. */
import { liveCommand } from './live-command.ts';

const { exitCode, output, problem } = await liveCommand(process.argv.slice(2), {
  environment: process.env,
  onProgress: (line) => process.stderr.write(`${line}\n`),
});
if (problem !== '') process.stderr.write(`${problem}\n`);
// Exit explicitly: connections to vendors are kept alive for a while.
process.stdout.write(output === '' ? '' : `${output}\n`, () => process.exit(exitCode));
