import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkTag, releaseNotes } from '../.ci/release.ts';

const root = join(import.meta.dirname, '..');

describe('the notes of a release', () => {
  const changelog =
    '# Changelog\n\n## Unreleased\n\n## 1.2.0\n\n### Fixed\n\n- One.\n\n## [1.1.0] - 2026-11-30\n\n- Two.\n';

  it('are the section of the version', () => {
    expect(releaseNotes(changelog, '1.2.0')).toBe('### Fixed\n\n- One.');
    expect(releaseNotes(changelog, '1.1.0')).toBe('- Two.');
  });

  it('must exist and say something', () => {
    expect(() => releaseNotes(changelog, '1.2')).toThrow('has no section "## 1.2"');
    expect(() => releaseNotes(changelog, 'Unreleased')).toThrow('is empty');
  });
});

it('a tag must be that of the version', () => {
  expect(() => checkTag('v1.2.0', '1.2.0')).not.toThrow();
  expect(() => checkTag('v1.2.1', '1.2.0')).toThrow('the tag is v1.2.1, but the version');
  expect(() => checkTag('1.2.0', '1.2.0')).toThrow('the tag is 1.2.0, but the version');
});

type Step = { readonly uses?: string; readonly run?: string; readonly with?: object };
type Job = {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly steps: readonly Step[];
};
type Workflow = {
  readonly permissions?: object;
  readonly concurrency?: object;
  readonly jobs: Readonly<Record<string, Job>>;
};

const workflows = globSync('.github/workflows/*.yml', { cwd: root }).map((path) => {
  const text = readFileSync(join(root, path), 'utf8');
  const workflow: Workflow = parse(text);
  return { path, text, workflow, jobs: Object.entries(workflow.jobs) };
});

describe.each(workflows)('$path', ({ text, workflow, jobs }) => {
  const steps = jobs.flatMap(([, job]) => job.steps);

  it('pins every action by its commit, with the version next to it', () => {
    const uses = text.match(/\buses: .*/g) ?? [];
    expect(uses.length).toBe(steps.filter((step) => step.uses !== undefined).length);
    expect(uses.filter((line) => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });

  it('grants nothing to all jobs, and to each only what it needs', () => {
    expect(workflow.permissions).toEqual({});
    const granted = jobs.flatMap(([name, { permissions }]) =>
      Object.entries(permissions ?? { all: 'default' })
        .filter(([scope, access]) => `${scope}: ${access}` !== 'contents: read')
        .map(([scope, access]) => `${name}: ${scope}: ${access}`),
    );
    const toRelease = ['publish: id-token: write', 'announce: contents: write'];
    expect(granted.filter((each) => !toRelease.includes(each))).toEqual([]);
  });

  it('bounds the time of every job, and runs one at a time', () => {
    expect(workflow.concurrency).toBeDefined();
    expect(jobs.filter(([, job]) => job['timeout-minutes'] === undefined)).toEqual([]);
  });

  it('leaves no token in a checkout', () => {
    const checkouts = steps.filter((step) => step.uses?.startsWith('actions/checkout@'));
    for (const checkout of checkouts)
      expect(checkout.with).toHaveProperty('persist-credentials', false);
  });

  it('puts no expression into a command, where it could be read as code', () => {
    expect(steps.filter(({ run }) => run?.includes('${{'))).toEqual([]);
  });

  it('runs only scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name);
    expect(named.filter((name) => scripts[name ?? ''] === undefined)).toEqual([]);
  });
});

it('there are workflows to check and to release', () => {
  expect(workflows.map(({ path }) => path.split(/[\\/]/).at(-1)).toSorted()).toEqual([
    'checks.yml',
    'release.yml',
  ]);
});
