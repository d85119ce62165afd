#!/usr/bin/env node
import { runCommand } from './apps/cli/run-command.ts';

const { exitCode, output, problem } = await runCommand(process.argv.slice(2));
if (problem !== '') process.stderr.write(`${problem}\n`);
// A configuration may hold the process open, with a pool or a timer; what was asked for is done.
process.stdout.write(output === '' ? '' : `${output}\n`, () => process.exit(exitCode));
