import { expect, test } from 'vitest';
import { proportionsText, widths } from './health';

const none = { healthy: 0, degraded: 0, failing: 0, idle: 0, unknown: 0, draining: 0 };

test('one failing service of two thousand is still to be seen', () => {
  const [failing, healthy] = widths({ ...none, failing: 1, healthy: 1999 });
  expect(failing).toMatchObject({ level: 'failing' });
  expect(failing!.width).toBeGreaterThan(1.9);
  expect(failing!.width + healthy!.width).toBeCloseTo(100);
});

test('proportions read worst first, and nothing reads none', () => {
  expect(proportionsText({ ...none, healthy: 38, failing: 2 })).toBe('2 failing, 38 healthy');
  expect(proportionsText(none)).toBe('none');
  expect(widths(none)).toEqual([]);
});
