// How links run between boxes: out of the side that faces the peer, along the gutters, never
// through a third box. Each link has a place of its own on a side, so that two directions are two
// lines.

import type { Box, Point } from './layout';

export interface Trunk {
  id: string;
  from: string;
  to: string;
  points: Point[];
  label: Point;
}
type Side = 'left' | 'right' | 'top' | 'bottom';

function centre(box: Box): Point {
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

function isSameRow(a: Box, b: Box): boolean {
  return a.y < b.y + b.height && b.y < a.y + a.height;
}

function isSameColumn(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width;
}

function isBetween(a: Box, b: Box, others: Box[]): boolean {
  const [from, to] = [centre(a), centre(b)];
  return others.some((box) => {
    if (box === a || box === b) return false;
    if (isSameRow(a, b))
      return isSameRow(box, a) && box.x > Math.min(a.x, b.x) && box.x < Math.max(a.x, b.x);
    return isSameColumn(box, a) && box.y > Math.min(from.y, to.y) && box.y < Math.max(from.y, to.y);
  });
}

interface Planned {
  id: string;
  from: string;
  to: string;
  a: Box;
  b: Box;
  by: Way;
  fromSide: Side;
  toSide: Side;
}
/** Sides that face each other for less than this are joined with bends. */
const STRAIGHT = 60;

type Way = 'across' | 'down' | 'over' | 'beside' | 'corner';

function way(a: Box, b: Box, others: Box[]): Way {
  const isBlocked = isBetween(a, b, others);
  if (isSameRow(a, b)) return isBlocked ? 'over' : 'across';
  if (isSameColumn(a, b)) return isBlocked ? 'beside' : 'down';
  return 'corner';
}

function sides(a: Box, b: Box, by: Way): [Side, Side] {
  const isRight = centre(b).x >= centre(a).x;
  const isBelow = centre(b).y >= centre(a).y;
  switch (by) {
    case 'across':
      return isRight ? ['right', 'left'] : ['left', 'right'];
    case 'down':
      return isBelow ? ['bottom', 'top'] : ['top', 'bottom'];
    case 'over':
      return ['top', 'top'];
    case 'beside':
      return ['left', 'left'];
    // From a level side into the top or bottom, whichever the lower box is: both directions share the corner.
    case 'corner':
      return isBelow
        ? ['bottom', isRight ? 'left' : 'right']
        : [isRight ? 'right' : 'left', 'bottom'];
  }
}

function port(box: Box, side: Side, index: number, count: number): Point {
  const at = (index + 1) / (count + 1);
  if (side === 'left' || side === 'right')
    return { x: side === 'left' ? box.x : box.x + box.width, y: box.y + box.height * at };
  return { x: box.x + box.width * at, y: side === 'top' ? box.y : box.y + box.height };
}

function bends(
  start: Point,
  end: Point,
  by: Way,
  lane: number,
  top: number,
  left: number,
  gutter: number,
): Point[] {
  switch (by) {
    case 'across': {
      const x = (start.x + end.x) / 2 + lane;
      return Math.abs(start.y - end.y) < 1
        ? []
        : [
            { x, y: start.y },
            { x, y: end.y },
          ];
    }
    case 'down': {
      const y = (start.y + end.y) / 2 + lane;
      return Math.abs(start.x - end.x) < 1
        ? []
        : [
            { x: start.x, y },
            { x: end.x, y },
          ];
    }
    case 'over':
      return [
        { x: start.x, y: top - gutter / 3 + lane },
        { x: end.x, y: top - gutter / 3 + lane },
      ];
    case 'beside':
      return [
        { x: left - gutter * 0.6 + lane, y: start.y },
        { x: left - gutter * 0.6 + lane, y: end.y },
      ];
    case 'corner':
      return [];
  }
}

/** Between a level side and a top or bottom: one bend, or two where that would cross a box. */
function corner(start: Point, end: Point, fromSide: Side, lane: number, gutter: number): Point[] {
  const isLevelStart = fromSide === 'left' || fromSide === 'right';
  const level = isLevelStart ? start : end;
  const steep = isLevelStart ? end : start;
  const x = level.x + (steep.x < level.x ? -1 : 1) * (gutter / 2) + lane;
  const y = steep.y + gutter / 2 + lane;
  const found = [
    { x: steep.x, y },
    { x, y },
    { x, y: level.y },
  ];
  return isLevelStart ? found.reverse() : found;
}

/** The middle of the longest straight part. */
export function middle(points: Point[]): Point {
  let best = { length: -1, x: points[0]?.x ?? 0, y: points[0]?.y ?? 0 };
  for (let index = 1; index < points.length; index += 1) {
    const [a, b] = [points[index - 1]!, points[index]!];
    const length = Math.hypot(b.x - a.x, b.y - a.y);
    if (length > best.length) best = { length, x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  }
  return { x: best.x, y: best.y };
}

export function trunks(
  links: { from: string; to: string }[],
  boxes: Box[],
  gutter: number,
): Trunk[] {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const planned = links.flatMap(({ from, to }): Planned[] => {
    const [a, b] = [byId.get(from), byId.get(to)];
    if (!a || !b || a === b) return [];
    const by = way(a, b, boxes);
    const [fromSide, toSide] = sides(a, b, by);
    return [{ id: `${from}→${to}`, from, to, a, b, by, fromSide, toSide }];
  });
  const ends = new Map<string, { id: string; towards: Point }[]>();
  const add = (box: Box, side: Side, id: string, other: Box) => {
    const key = `${box.id}/${side}`;
    ends.set(key, [...(ends.get(key) ?? []), { id, towards: centre(other) }]);
  };
  for (const one of planned) {
    add(one.a, one.fromSide, `${one.id} out`, one.b);
    add(one.b, one.toSide, `${one.id} in`, one.a);
  }
  for (const [key, list] of ends) {
    const axis = key.endsWith('/left') || key.endsWith('/right') ? 'y' : 'x';
    list.sort((p, q) => p.towards[axis] - q.towards[axis] || (pair(p.id) < pair(q.id) ? -1 : 1));
  }
  const at = (box: Box, side: Side, id: string) => {
    const list = ends.get(`${box.id}/${side}`)!;
    return port(
      box,
      side,
      list.findIndex((end) => end.id === id),
      list.length,
    );
  };
  return planned.map((one, index) => {
    const start = at(one.a, one.fromSide, `${one.id} out`);
    const end = at(one.b, one.toSide, `${one.id} in`);
    const lane = (((index % 7) - 3) * gutter) / 15;
    const straight = facing(one, planned);
    if (straight)
      return { id: one.id, from: one.from, to: one.to, points: straight, label: middle(straight) };
    const top = Math.min(...boxes.filter((box) => isSameRow(box, one.a)).map((box) => box.y));
    const left = Math.min(...boxes.filter((box) => isSameColumn(box, one.a)).map((box) => box.x));
    const between =
      one.by === 'corner'
        ? corner(start, end, one.fromSide, lane, gutter)
        : bends(start, end, one.by, lane, top, left, gutter);
    const points = [start, ...between, end];
    return { id: one.id, from: one.from, to: one.to, points, label: middle(points) };
  });
}

/** Neighbours whose sides overlap enough are joined by straight lines, one for each direction. */
function facing(one: Planned, planned: Planned[]): Point[] | undefined {
  if (one.by !== 'across' && one.by !== 'down') return undefined;
  const { a, b } = one;
  const isAcross = one.by === 'across';
  const start = isAcross ? Math.max(a.y, b.y) : Math.max(a.x, b.x);
  const end = isAcross
    ? Math.min(a.y + a.height, b.y + b.height)
    : Math.min(a.x + a.width, b.x + b.width);
  if (end - start < STRAIGHT) return undefined;
  const both = planned.filter(
    (other) =>
      (other.from === one.from && other.to === one.to) ||
      (other.from === one.to && other.to === one.from),
  );
  const index = both.length < 2 ? 0.5 : one.from < one.to ? 0.34 : 0.66;
  const at = start + (end - start) * index;
  return isAcross
    ? [
        { x: one.fromSide === 'right' ? a.x + a.width : a.x, y: at },
        { x: one.toSide === 'right' ? b.x + b.width : b.x, y: at },
      ]
    : [
        { x: at, y: one.fromSide === 'bottom' ? a.y + a.height : a.y },
        { x: at, y: one.toSide === 'bottom' ? b.y + b.height : b.y },
      ];
}

/** Both ends of a link sort alike on both sides, so that its two lines stay parallel. */
function pair(id: string): string {
  const [from = '', to = ''] = id.replace(/ (in|out)$/, '').split('→');
  return from < to ? `${from}→${to} 1` : `${to}→${from} 2`;
}

/** A path with round corners. */
export function path(points: Point[], radius = 12): string {
  const [first, ...rest] = points;
  if (!first) return '';
  let text = `M${first.x},${first.y}`;
  rest.forEach((point, index) => {
    const before = points[index]!;
    const after = rest[index + 1];
    if (!after) {
      text += `L${point.x},${point.y}`;
      return;
    }
    const inLength = Math.hypot(point.x - before.x, point.y - before.y);
    const outLength = Math.hypot(after.x - point.x, after.y - point.y);
    const round = Math.min(radius, inLength / 2, outLength / 2);
    if (round < 1) {
      text += `L${point.x},${point.y}`;
      return;
    }
    const a = {
      x: point.x - ((point.x - before.x) / inLength) * round,
      y: point.y - ((point.y - before.y) / inLength) * round,
    };
    const b = {
      x: point.x + ((after.x - point.x) / outLength) * round,
      y: point.y + ((after.y - point.y) / outLength) * round,
    };
    text += `L${a.x},${a.y}Q${point.x},${point.y} ${b.x},${b.y}`;
  });
  return text;
}

/** Labels that would lie on one another are moved apart, the later ones down. */
export function apart(labels: Point[], size: { width: number; height: number }): Point[] {
  const placed: Point[] = [];
  for (const label of labels) {
    let point = label;
    for (let tries = 0; tries < 12; tries += 1) {
      const hit = placed.find(
        (other) =>
          Math.abs(other.x - point.x) < size.width && Math.abs(other.y - point.y) < size.height,
      );
      if (!hit) break;
      point = { x: point.x, y: hit.y + size.height };
    }
    placed.push(point);
  }
  return placed;
}
