import { expect, test } from 'vitest';
import type { Box } from './layout';
import { nearest } from './walk';

const boxes: Box[] = ['a b c', 'd e f'].flatMap((row, y) =>
  row.split(' ').map((id, x) => ({ id, x: x * 200, y: y * 70, width: 170, height: 54 })),
);

test('arrows go to the neighbour, and stay at the rim', () => {
  const go = (keys: string, from = 'a') =>
    keys.split(' ').reduce((here, key) => nearest(boxes, here, `Arrow${key}`) ?? here, from);
  expect(go('Right')).toBe('b');
  expect(go('Right Right Right')).toBe('c');
  expect(go('Down Right Up')).toBe('b');
  expect(go('Left')).toBe('a');
  expect(go('Up')).toBe('a');
});

test('every box can be reached from every other', () => {
  for (const start of boxes) {
    const seen = new Set([start.id]);
    const queue = [start.id];
    for (let here = queue.pop(); here !== undefined; here = queue.pop()) {
      for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
        const next = nearest(boxes, here, key);
        if (next !== undefined && !seen.has(next)) {
          seen.add(next);
          queue.push(next);
        }
      }
    }
    expect(seen.size).toBe(boxes.length);
  }
});
