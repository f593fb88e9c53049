// Arrows on the map: to the nearest thing in that direction.

import type { Box } from './layout';

const DIRECTIONS: Record<string, { x: number; y: number }> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};
/** What lies aside counts this much more than what lies ahead. */
const ASIDE = 2.5;

/** The nearest of `boxes` from `here` when `key` is pressed; undefined if there is none. */
export function nearest(boxes: Box[], here: string, key: string): string | undefined {
  const direction = DIRECTIONS[key];
  const start = boxes.find(({ id }) => id === here);
  if (!direction || !start) return undefined;
  const from = { x: start.x + start.width / 2, y: start.y + start.height / 2 };
  let best: { id: string; cost: number } | undefined;
  for (const box of boxes) {
    if (box === start) continue;
    const x = box.x + box.width / 2 - from.x;
    const y = box.y + box.height / 2 - from.y;
    const ahead = x * direction.x + y * direction.y;
    const aside = Math.abs(x * direction.y) + Math.abs(y * direction.x);
    if (ahead < 1) continue;
    const cost = ahead + ASIDE * aside;
    if (!best || cost < best.cost) best = { id: box.id, cost };
  }
  return best?.id;
}
