import { expect, test } from 'vitest';
import { type Connection, retryDelay, shown } from './connection';

function check(connection: Partial<Connection>, silence: number | undefined, expected: string) {
  const now = 1_000_000;
  const heardAt = silence === undefined ? undefined : now - silence;
  const { state, text, stale } = shown({ phase: 'open', attempt: 0, heardAt, ...connection }, now);
  expect(`${state}: ${text}${stale ? ' (stale)' : ''}`).toBe(expected);
}

test('what the page says of its connection', () => {
  check({}, 100, 'live: Live');
  check({}, 9_000, 'late: 9 s behind (stale)');
  check({}, 20_000, 'offline: Offline, 20 s old (stale)');
  check({ phase: 'opening' }, undefined, 'opening: Connecting');
  check({ phase: 'waiting' }, undefined, 'offline: Offline (stale)');
  check({ phase: 'waiting' }, 1_000, 'live: Live');
  check({ phase: 'waiting' }, 5_000, 'offline: Offline, 5 s old (stale)');
  check({ phase: 'opening' }, 9_000, 'late: 9 s behind (stale)');
  check({ phase: 'opening', attempt: 1 }, 1_000, 'live: Live');
  check({ phase: 'opening', attempt: 1 }, 5_000, 'offline: Offline, 5 s old (stale)');
  check({ phase: 'paused' }, 90_000, 'paused: Paused');
});

test('attempts become rarer, stay bounded and differ between tabs', () => {
  expect(retryDelay(0, 1)).toBe(500);
  expect(retryDelay(3, 1)).toBe(4_000);
  expect(retryDelay(50, 1)).toBe(10_000);
  expect(retryDelay(50, 0)).toBe(5_000);
});
