// Where everything stands on the map: boxes of clusters by the shape of the screen, services inside
// in layers from callers to called. The same data gives the same places.

export interface Size {
  width: number;
  height: number;
}
export interface Point {
  x: number;
  y: number;
}
export interface Box extends Point, Size {
  id: string;
}

export interface LaidOut {
  /** Between boxes, where the links run. */
  gutter: number;
  clusters: Box[];
  nodes: (Box & { cluster: string })[];
  width: number;
  height: number;
}
export interface Wish {
  cluster: string;
  nodes: string[];
  edges: [string, string][];
}

export const NODE: Size = { width: 184, height: 54 };
const GAP_X = 56;
const GAP_Y = 14;
const PADDING = 18;
const TITLE = 46;
/** Wide where labels must fit, narrow where there are many boxes. */
export const GUTTER = 132;
export const GUTTER_OF_MANY = 64;
const MANY = 12;
const EMPTY: Size = { width: 260, height: 74 };
/** Taller columns are wrapped, so that a box keeps a shape that fits a screen. */
const ROWS_MIN = 4;

/** Callers left of the called: the longest way from a start. Circles are cut where they close. */
export function layers(ids: string[], edges: [string, string][]): Map<string, number> {
  const known = new Set(ids);
  const to = new Map<string, string[]>();
  for (const [from, target] of edges) {
    if (from !== target && known.has(from) && known.has(target))
      to.set(from, [...(to.get(from) ?? []), target]);
  }
  const depth = new Map<string, number>(ids.map((id) => [id, 0]));
  const state = new Map<string, 'open' | 'done'>();
  const order: string[] = [];
  const back = new Set<string>();
  const visit = (id: string) => {
    const stack: [string, number][] = [[id, 0]];
    state.set(id, 'open');
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const next = to.get(top[0])?.[top[1]];
      top[1] += 1;
      if (next === undefined) {
        state.set(top[0], 'done');
        order.push(top[0]);
        stack.pop();
      } else if (state.get(next) === 'open') back.add(`${top[0]}\n${next}`);
      else if (!state.has(next)) {
        state.set(next, 'open');
        stack.push([next, 0]);
      }
    }
  };
  for (const id of ids) if (!state.has(id)) visit(id);
  for (const id of order.reverse()) {
    for (const target of to.get(id) ?? []) {
      if (!back.has(`${id}\n${target}`))
        depth.set(target, Math.max(depth.get(target)!, depth.get(id)! + 1));
    }
  }
  return depth;
}

/** Columns of a box, each at most `rows` long. Who has no edge stands after those who have. */
export function columns(ids: string[], edges: [string, string][]): string[][] {
  const touched = new Set(edges.flat());
  const joined = ids.filter((id) => touched.has(id));
  const alone = ids.filter((id) => !touched.has(id));
  const rows = Math.max(ROWS_MIN, Math.ceil(Math.sqrt(ids.length * 2.6)));
  const depth = layers(joined, edges);
  const deepest = Math.max(-1, ...depth.values());
  const found: string[][] = [];
  for (let layer = 0; layer <= deepest; layer += 1) {
    const members = joined.filter((id) => depth.get(id) === layer);
    for (let start = 0; start < members.length; start += rows)
      found.push(members.slice(start, start + rows));
  }
  const last = found[found.length - 1];
  while (
    last &&
    found.length > 1 &&
    alone.length > 0 &&
    last.length < rows &&
    alone.length <= rows - last.length
  )
    last.push(alone.shift()!);
  for (let start = 0; start < alone.length; start += rows)
    found.push(alone.slice(start, start + rows));
  return found;
}

function inside(wish: Wish): { size: Size; nodes: Box[] } {
  if (wish.nodes.length === 0) return { size: EMPTY, nodes: [] };
  const found = columns(wish.nodes, wish.edges);
  const tallest = Math.max(...found.map((column) => column.length));
  const height = tallest * NODE.height + (tallest - 1) * GAP_Y;
  const nodes = found.flatMap((column, x) => {
    const used = column.length * NODE.height + (column.length - 1) * GAP_Y;
    return column.map((id, y) => ({
      id,
      ...NODE,
      x: PADDING + x * (NODE.width + GAP_X),
      y: TITLE + (height - used) / 2 + y * (NODE.height + GAP_Y),
    }));
  });
  const width = found.length * NODE.width + (found.length - 1) * GAP_X;
  return {
    size: { width: Math.max(EMPTY.width, width + 2 * PADDING), height: height + TITLE + PADDING },
    nodes,
  };
}

/** Rows of boxes with this many columns; every column as wide as its widest box. */
function place(sizes: Size[], count: number, gutter: number): { points: Point[]; size: Size } {
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(
      0,
      ...sizes.filter((_size, index) => index % count === column).map((size) => size.width),
    ),
  );
  const points: Point[] = [];
  let y = 0;
  for (let start = 0; start < sizes.length; start += count) {
    const row = sizes.slice(start, start + count);
    const height = Math.max(...row.map((size) => size.height));
    row.forEach((size, column) => {
      const left = widths.slice(0, column).reduce((sum, width) => sum + width + gutter, 0);
      points.push({
        x: left + (widths[column]! - size.width) / 2,
        y: y + (height - size.height) / 2,
      });
    });
    y += height + gutter;
  }
  const width = widths.reduce((sum, one) => sum + one, 0) + gutter * (count - 1);
  return { points, size: { width, height: y - gutter } };
}

/** The number of columns that lets the whole map be drawn largest on a screen of this shape. */
export function layout(wishes: Wish[], screen: Size): LaidOut {
  if (wishes.length === 0) return { clusters: [], nodes: [], width: 0, height: 0, gutter: GUTTER };
  const gutter = wishes.length > MANY ? GUTTER_OF_MANY : GUTTER;
  const boxes = wishes.map(inside);
  const sizes = boxes.map(({ size }) => size);
  let best: { points: Point[]; size: Size; scale: number } | undefined;
  for (let count = 1; count <= wishes.length; count += 1) {
    const placed = place(sizes, count, gutter);
    const scale = Math.min(
      screen.width / (placed.size.width + gutter),
      screen.height / (placed.size.height + gutter),
    );
    if (!best || scale > best.scale * 1.02) best = { ...placed, scale };
  }
  const { points, size } = best!;
  return {
    ...size,
    gutter,
    clusters: wishes.map((wish, index) => ({
      id: wish.cluster,
      ...points[index]!,
      ...sizes[index]!,
    })),
    nodes: wishes.flatMap((wish, index) =>
      boxes[index]!.nodes.map((node) => ({
        ...node,
        cluster: wish.cluster,
        x: node.x + points[index]!.x,
        y: node.y + points[index]!.y,
      })),
    ),
  };
}
