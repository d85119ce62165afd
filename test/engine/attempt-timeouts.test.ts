import { describe, expect, test } from 'vitest';
import { AttemptDeadline } from '../../src/engine/attempt/attempt-timeouts.ts';

const timeouts = { connectMs: 10, firstTokenMs: 60, idleMs: 30 };

describe('AttemptDeadline', () => {
  test('applies the connect timeout until the request is on a socket', () => {
    const deadline = new AttemptDeadline(timeouts, 100);
    expect(deadline.due(105)).toEqual({ at: 110, phase: 'connect' });
  });

  test('then applies the first-token timeout, measured from the start', () => {
    const deadline = new AttemptDeadline(timeouts, 100);
    deadline.connected();
    expect(deadline.due(109)).toEqual({ at: 160, phase: 'first-token' });
  });

  test('ignores pings before the first part', () => {
    const deadline = new AttemptDeadline(timeouts, 100);
    deadline.connected();
    deadline.bytes(140);
    expect(deadline.due(140)).toEqual({ at: 160, phase: 'first-token' });
  });

  test('applies the first-token timeout while connecting if it is sooner', () => {
    const deadline = new AttemptDeadline({ ...timeouts, firstTokenMs: 5 }, 100);
    expect(deadline.due(100)).toEqual({ at: 105, phase: 'first-token' });
  });

  test('applies the idle timeout after the first part, restarted by every byte', () => {
    const deadline = new AttemptDeadline(timeouts, 100);
    deadline.connected();
    deadline.firstPart(150);
    expect(deadline.due(150)).toEqual({ at: 180, phase: 'idle' });
    deadline.bytes(170);
    expect(deadline.due(170)).toEqual({ at: 200, phase: 'idle' });
  });

  test('keeps the idle timeout when the connection is reported late', () => {
    const deadline = new AttemptDeadline(timeouts, 100);
    deadline.firstPart(120);
    deadline.connected();
    expect(deadline.due(120)).toEqual({ at: 150, phase: 'idle' });
  });

  test('does not count time in which nothing is read', () => {
    const deadline = new AttemptDeadline(timeouts, 100);
    deadline.connected();
    deadline.reading(100);
    deadline.firstPart(110);
    deadline.paused();
    expect(deadline.due(5_000)).toEqual({ at: 5_030, phase: 'idle' });
    deadline.reading(6_000);
    expect(deadline.due(6_000)).toEqual({ at: 6_030, phase: 'idle' });
    deadline.reading(6_020);
    expect(deadline.due(6_020)).toEqual({ at: 6_030, phase: 'idle' });
  });

  test('has no deadline for a unary answer without a first-token timeout', () => {
    const deadline = new AttemptDeadline({ ...timeouts, firstTokenMs: undefined }, 100);
    expect(deadline.due(100)).toEqual({ at: 110, phase: 'connect' });
    deadline.connected();
    expect(deadline.due(1_000_000)).toBeUndefined();
    deadline.firstPart(1_000_000);
    expect(deadline.due(1_000_000)).toEqual({ at: 1_000_030, phase: 'idle' });
  });
});
