#!/usr/bin/env node
import type { Notes } from './apps/cli/progress-notes.ts';
import { runCommand } from './apps/cli/run-command.ts';
import { terminalOf } from './apps/cli/terminal.ts';

const terminal = terminalOf(process.stdout, process.env);
const notes: Notes = {
  kind: process.stderr.isTTY ? 'bar' : 'lines',
  terminal: terminalOf(process.stderr, process.env),
  write: (text) => process.stderr.write(text),
};
const { exitCode, output, problem } = await runCommand(process.argv.slice(2), terminal, notes);
if (problem !== '') process.stderr.write(`${problem}\n`);
// Exit explicitly: the configuration may keep the process alive with a pool or a timer.
process.stdout.write(output === '' ? '' : `${output}\n`, () => process.exit(exitCode));
