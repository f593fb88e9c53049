import { expect, test } from 'vitest';
import { type Box, type Wish, columns, layers, layout } from './layout';

const WIDE = { width: 1400, height: 800 };

function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

test('callers stand left of what they call, circles end', () => {
  const ids = ['front', 'reviews', 'ratings', 'loop'];
  const depth = layers(ids, [
    ['front', 'reviews'],
    ['reviews', 'ratings'],
    ['front', 'ratings'],
    ['ratings', 'loop'],
    ['loop', 'reviews'],
  ]);
  expect(ids.map((id) => depth.get(id))).toEqual([0, 1, 2, 3]);
});

test('who has no edge does not widen the map', () => {
  expect(columns(['a', 'b', 'c', 'd'], [['a', 'b']])).toEqual([['a'], ['b', 'c', 'd']]);
});

test('nothing overlaps and nothing is lost, whatever the shape', () => {
  for (const clusters of [1, 2, 3, 5, 13]) {
    const wishes: Wish[] = Array.from({ length: clusters }, (_, cluster) => {
      const nodes = Array.from(
        { length: (cluster * 7) % 31 },
        (_node, index) => `${cluster}/${index}`,
      );
      return {
        cluster: `c${cluster}`,
        nodes,
        edges: nodes.slice(1).map((node, index) => [nodes[Math.floor(index / 2)]!, node]),
      };
    });
    const found = layout(wishes, WIDE);
    expect(found.nodes.length).toBe(wishes.reduce((sum, { nodes }) => sum + nodes.length, 0));
    for (const [index, box] of found.clusters.entries()) {
      expect(found.clusters.slice(index + 1).some((other) => overlaps(box, other))).toBe(false);
    }
    for (const [index, node] of found.nodes.entries()) {
      expect(found.nodes.slice(index + 1).some((other) => overlaps(node, other))).toBe(false);
      const box = found.clusters.find(({ id }) => id === node.cluster)!;
      expect(
        node.x >= box.x &&
          node.y >= box.y &&
          node.x + node.width <= box.x + box.width &&
          node.y + node.height <= box.y + box.height,
      ).toBe(true);
    }
  }
});

test('a wide screen gets rows, a tall one columns', () => {
  const wishes: Wish[] = ['a', 'b', 'c'].map((cluster) => ({
    cluster,
    nodes: [`${cluster}/1`, `${cluster}/2`],
    edges: [],
  }));
  const wide = layout(wishes, { width: 2400, height: 500 });
  const tall = layout(wishes, { width: 390, height: 800 });
  expect(new Set(wide.clusters.map(({ y }) => y)).size).toBe(1);
  expect(new Set(tall.clusters.map(({ x }) => x)).size).toBe(1);
});
