import { expect, test } from 'vitest';
import { type Box, type Point, type Wish, layout } from './layout';
import { apart, middle, path, trunks } from './trunks';

function crosses(a: Point, b: Point, box: Box): boolean {
  for (let step = 0; step <= 200; step += 1) {
    const x = a.x + ((b.x - a.x) * step) / 200;
    const y = a.y + ((b.y - a.y) * step) / 200;
    if (x > box.x + 1 && x < box.x + box.width - 1 && y > box.y + 1 && y < box.y + box.height - 1)
      return true;
  }
  return false;
}

test.each([2, 3, 4, 5, 6, 9, 14])(
  'no link of %i clusters runs through a box that is not its own',
  (count) => {
    const wishes: Wish[] = Array.from({ length: count }, (_, index) => ({
      cluster: `c${index}`,
      nodes: [`${index}/a`, `${index}/b`],
      edges: [],
    }));
    for (const screen of [
      { width: 2400, height: 500 },
      { width: 1400, height: 800 },
      { width: 390, height: 900 },
    ]) {
      const { clusters, gutter } = layout(wishes, screen);
      const links = clusters.flatMap((a) =>
        clusters
          .filter((b) => b !== a && Math.abs(a.y - b.y) < 400)
          .map((b) => ({ from: a.id, to: b.id })),
      );
      for (const trunk of trunks(links, clusters, gutter)) {
        const others = clusters.filter(({ id }) => id !== trunk.from && id !== trunk.to);
        trunk.points.slice(1).forEach((point, index) => {
          const hit = others.find((box) => crosses(trunk.points[index]!, point, box));
          expect(
            hit,
            `${trunk.id} through ${hit?.id} of ${count} on ${screen.width}`,
          ).toBeUndefined();
        });
      }
    }
  },
);

test('two directions are two lines', () => {
  const { clusters } = layout(
    [
      { cluster: 'a', nodes: ['1'], edges: [] },
      { cluster: 'b', nodes: ['2'], edges: [] },
    ],
    { width: 1400, height: 500 },
  );
  const [there, back] = trunks(
    [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
    ],
    clusters,
    132,
  );
  expect(there!.points[0]!.y).not.toBe(back!.points.at(-1)!.y);
  expect(there!.points.at(-1)!.y).not.toBe(back!.points[0]!.y);
});

test('labels go to the middle of the longest part, and apart', () => {
  expect(
    middle([
      { x: 0, y: 0 },
      { x: 10, y: 0 },
      { x: 10, y: 100 },
    ]),
  ).toEqual({ x: 10, y: 50 });
  expect(
    apart(
      [
        { x: 0, y: 0 },
        { x: 5, y: 3 },
        { x: 300, y: 0 },
      ],
      { width: 80, height: 20 },
    ),
  ).toEqual([
    { x: 0, y: 0 },
    { x: 5, y: 20 },
    { x: 300, y: 0 },
  ]);
});

test('corners are round and the ends stay', () => {
  expect(
    path(
      [
        { x: 0, y: 0 },
        { x: 50, y: 0 },
        { x: 50, y: 50 },
      ],
      10,
    ),
  ).toBe('M0,0L40,0Q50,0 50,10L50,50');
});
