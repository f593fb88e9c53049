// The map. React Flow pans, zooms and holds the nodes; places, lines and keys are our own.

import '@xyflow/react/dist/base.css';
import {
  type Node,
  type NodeProps,
  ReactFlow,
  ReactFlowProvider,
  ViewportPortal,
  getViewportForBounds,
  useReactFlow,
  useStore,
} from '@xyflow/react';
import {
  type KeyboardEvent,
  type ReactNode,
  memo,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { Level, Rates, TopoCluster, TopoEdge, TopoNode, Topology } from '../api/views';
import { milliseconds, perSecond, share } from '../format';
import { WORDS, proportionsText } from '../health';
import { Glyph, ProportionsBar } from '../parts/level';
import { type Box, type LaidOut, type Point, type Size, layout } from './layout';
import './topology.css';
import { apart, path, trunks } from './trunks';
import { nearest } from './walk';

/** With more nodes than this, boxes are drawn without their inside until one cluster is chosen. */
export const NODES_DRAWN = 240;
/** More links than this hide everything: only troubled ones and those of the selection are drawn. */
const TRUNKS_DRAWN = 60;
const LABELS_DRAWN = 12;
const FAR = 0.62;
const ZOOM_LEAST = 0.08;
const ZOOM_FIT = 1.4;
const LABEL: Size = { width: 118, height: 24 };

interface Shared {
  selected?: string;
  near: ReadonlySet<string>;
  focused?: string;
  onSelect: (id: string | undefined) => void;
  onOpen: (id: string) => void;
}
type ClusterNode = Node<{ cluster: TopoCluster; shared: Shared; isHollow: boolean }, 'cluster'>;
type ItemNode = Node<{ node: TopoNode; cluster: string; shared: Shared }, 'item'>;

export function clusterId(name: string): string {
  return `@${name}`;
}

function Pressable({
  id,
  shared,
  className,
  level,
  children,
}: {
  id: string;
  shared: Shared;
  className: string;
  level: Level;
  children: ReactNode;
}) {
  return (
    <div
      className={className}
      role="button"
      data-item={id}
      data-level={level}
      aria-pressed={shared.selected === id}
      data-near={shared.near.has(id)}
      tabIndex={shared.focused === id ? 0 : -1}
      onClick={(event) => {
        event.stopPropagation();
        shared.onSelect(id);
      }}
      onDoubleClick={() => shared.onOpen(id)}
    >
      {children}
    </div>
  );
}

function Said({ children }: { children: ReactNode }) {
  return <span className="visually-hidden">{children}</span>;
}

const Cluster = memo(function Cluster({
  data: { cluster, shared, isHollow },
}: NodeProps<ClusterNode>) {
  return (
    <Pressable
      id={clusterId(cluster.name)}
      shared={shared}
      className="map-cluster"
      level={cluster.level}
    >
      <div className="map-cluster-title">
        <Glyph level={cluster.level} />
        <Said>Cluster </Said>
        <strong>{cluster.name}</strong>
        <Said>, {WORDS[cluster.level]}, </Said>
        <small>{cluster.text}</small>
        {!isHollow && <Said>, services: {proportionsText(cluster.services)}</Said>}
      </div>
      {isHollow && <ProportionsBar of={cluster.services} hasCounts={false} />}
    </Pressable>
  );
});

const Item = memo(function Item({ data: { node, cluster, shared } }: NodeProps<ItemNode>) {
  const { rates } = node;
  return (
    <Pressable id={node.id} shared={shared} className="map-node" level={node.level}>
      <Glyph level={node.level} />
      <b title={node.label}>
        <Said>{node.kind === 'workspace' ? 'Workspace' : 'Service'} </Said>
        {node.name ?? node.label}
        <Said>
          {' '}
          in {cluster}, {WORDS[node.level]},{' '}
        </Said>
      </b>
      {node.kind === 'workspace' && <ProportionsBar of={node.services} hasCounts={false} />}
      <small>
        {node.namespace != null && `${node.namespace} · `}
        {rates ? perSecond(rates.requestsPerSecond) : 'no traffic known'}
        {rates && rates.errorShare > 0 && (
          <span className="bad"> · {share(rates.errorShare)} err</span>
        )}
        {rates &&
          rates.errorShare === 0 &&
          rates.p95Ms != null &&
          ` · ${milliseconds(rates.p95Ms)}`}
      </small>
    </Pressable>
  );
});

const TYPES = { cluster: Cluster, item: Item };

/** A call inside a box, or of the selection across boxes: from the side that faces the other. */
export function curve(from: Box, to: Box): string {
  const isRight = to.x >= from.x + from.width / 2;
  const isLeft = to.x + to.width / 2 <= from.x;
  const middle = (box: Box): Point => ({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
  if (isRight || isLeft) {
    const start = { x: isRight ? from.x + from.width : from.x, y: middle(from).y };
    const end = { x: isRight ? to.x : to.x + to.width, y: middle(to).y };
    const pull = Math.max(24, Math.abs(end.x - start.x) / 2) * (isRight ? 1 : -1);
    return `M${start.x},${start.y}C${start.x + pull},${start.y} ${end.x - pull},${end.y} ${end.x},${end.y}`;
  }
  const isDown = to.y > from.y;
  const start = { x: middle(from).x, y: isDown ? from.y + from.height : from.y };
  const end = { x: middle(to).x, y: isDown ? to.y : to.y + to.height };
  const pull = Math.max(12, Math.abs(end.y - start.y) / 2) * (isDown ? 1 : -1);
  return `M${start.x},${start.y}C${start.x},${start.y + pull} ${end.x},${end.y - pull} ${end.x},${end.y}`;
}

function width(rates: Rates | null | undefined): number {
  return 1.2 + Math.min(2.4, Math.log10(1 + (rates?.requestsPerSecond ?? 0)));
}

interface Line {
  id: string;
  d: string;
  level: Level;
  kind: 'trunk' | 'call';
  width: number;
  isFaint: boolean;
  isStrong: boolean;
}
interface Label {
  id: string;
  at: Point;
  level: Level;
  text: string;
  errors?: string;
}

function lines(
  topology: Topology,
  placed: LaidOut,
  selected: string | undefined,
  isHollow: boolean,
): { lines: Line[]; labels: Label[] } {
  const nodes = new Map(placed.nodes.map((node) => [node.id, node]));
  const boxes = new Map(placed.clusters.map((box) => [box.id, box]));
  const touches = (edge: TopoEdge) =>
    selected !== undefined && (edge.from === selected || edge.to === selected);
  const found: Line[] = [];
  const labels: Label[] = [];

  const isChosen = (link: { from: string; to: string }) =>
    selected === clusterId(link.from) || selected === clusterId(link.to);
  const links = topology.links.filter(
    (link) =>
      topology.links.length <= TRUNKS_DRAWN ||
      link.level === 'failing' ||
      link.level === 'degraded' ||
      isChosen(link),
  );
  const routed = trunks(links, placed.clusters, placed.gutter);
  const byId = new Map(links.map((link) => [`${link.from}→${link.to}`, link]));
  const nodeSelected = selected !== undefined && !selected.startsWith('@');
  for (const trunk of routed) {
    const link = byId.get(trunk.id)!;
    found.push({
      id: trunk.id,
      d: path(trunk.points),
      level: link.level,
      kind: 'trunk',
      width: width(link.rates),
      isFaint: nodeSelected,
      isStrong: isChosen(link),
    });
  }
  const loudest = [...routed].sort(
    (a, b) =>
      (byId.get(b.id)!.rates?.requestsPerSecond ?? 0) -
      (byId.get(a.id)!.rates?.requestsPerSecond ?? 0),
  );
  for (const trunk of nodeSelected ? [] : loudest.slice(0, LABELS_DRAWN)) {
    const link = byId.get(trunk.id)!;
    const parts = [
      link.rates ? perSecond(link.rates.requestsPerSecond) : undefined,
      link.roundTripMs == null ? undefined : milliseconds(link.roundTripMs),
      link.lossShare ? `${share(link.lossShare)} loss` : undefined,
    ];
    const text = parts.filter((part) => part !== undefined).join(' · ');
    labels.push({
      id: trunk.id,
      at: trunk.label,
      level: link.level,
      text: text || link.text,
      errors:
        link.rates && link.rates.errorShare > 0 ? `${share(link.rates.errorShare)} err` : undefined,
    });
  }
  if (isHollow) return { lines: found, labels };

  for (const edge of topology.edges) {
    const isInside = edge.fromCluster === edge.toCluster;
    if (!isInside && !touches(edge)) continue;
    const to = nodes.get(edge.to);
    const from = nodes.get(edge.from);
    if (!to) continue;
    // A caller that is no service of ours comes from the border of its cluster.
    const border = boxes.get(edge.fromCluster);
    const start: Box | undefined =
      from ??
      (border && {
        id: edge.from,
        x: border.x - (isInside ? 0 : 1),
        y: to.y,
        width: isInside ? 1 : border.width,
        height: to.height,
      });
    if (!start) continue;
    found.push({
      id: `${edge.from}→${edge.to}`,
      d: curve(start, to),
      level: edge.level,
      kind: 'call',
      width: width(edge.rates),
      isFaint: selected !== undefined && !selected.startsWith('@') && !touches(edge),
      isStrong: touches(edge),
    });
    const { rates } = edge;
    if (rates && touches(edge) && !isInside && labels.length < LABELS_DRAWN) {
      const latency = rates.p95Ms == null ? '' : ` · ${milliseconds(rates.p95Ms)}`;
      labels.push({
        id: `${edge.from}→${edge.to}`,
        level: edge.level,
        at: {
          x: (start.x + start.width / 2 + to.x + to.width / 2) / 2,
          y: (start.y + to.y) / 2 + to.height / 2,
        },
        text: `${perSecond(rates.requestsPerSecond)}${latency}`,
        errors: rates.errorShare > 0 ? `${share(rates.errorShare)} err` : undefined,
      });
    }
  }
  return { lines: found, labels };
}

function Lines({
  topology,
  placed,
  selected,
  isHollow,
}: {
  topology: Topology;
  placed: LaidOut;
  selected?: string;
  isHollow: boolean;
}) {
  const drawn = useMemo(
    () => lines(topology, placed, selected, isHollow),
    [topology, placed, selected, isHollow],
  );
  const places = useMemo(
    () =>
      apart(
        drawn.labels.map(({ at }) => at),
        LABEL,
      ),
    [drawn],
  );
  return (
    <ViewportPortal>
      <svg className="map-lines" aria-hidden="true">
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="9"
            markerHeight="9"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0,0.500L8,4L0,7.500Z" />
          </marker>
        </defs>
        {drawn.lines.map((line) => (
          <path
            key={line.id}
            className={line.kind}
            d={line.d}
            data-level={line.level}
            data-faint={line.isFaint}
            data-strong={line.isStrong}
            markerEnd="url(#arrow)"
            style={
              line.level === 'failing' || line.isStrong ? undefined : { strokeWidth: line.width }
            }
          />
        ))}
      </svg>
      {drawn.labels.map((label, index) => (
        <div
          key={label.id}
          className="map-label"
          data-level={label.level}
          aria-hidden="true"
          style={{ left: places[index]!.x, top: places[index]!.y }}
        >
          <span>{label.text}</span>
          {label.errors !== undefined && <span className="bad">{label.errors}</span>}
        </div>
      ))}
    </ViewportPortal>
  );
}

/** The place that everything drawn takes, the links outside of the boxes included. */
function around(placed: LaidOut, links: { from: string; to: string }[]) {
  const points = [
    ...placed.clusters.flatMap((box) => [box, { x: box.x + box.width, y: box.y + box.height }]),
    ...trunks(links, placed.clusters, placed.gutter).flatMap((trunk) => [
      ...trunk.points,
      { x: trunk.label.x - LABEL.width * 0.7, y: trunk.label.y },
      { x: trunk.label.x + LABEL.width * 0.7, y: trunk.label.y },
    ]),
  ];
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

function useSize(): [React.RefObject<HTMLDivElement | null>, Size] {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [box, size];
}

interface Props {
  topology: Topology;
  selected?: string;
  onSelect: (id: string | undefined) => void;
  onOpen: (id: string) => void;
}

function Drawing({ topology, selected, onSelect, onOpen }: Props) {
  const [box, size] = useSize();
  const { setCenter, setViewport, getZoom, zoomIn, zoomOut } = useReactFlow();
  const isFar = useStore((state) => state.transform[2] < FAR);
  const count = topology.clusters.reduce((sum, { nodes }) => sum + nodes.length, 0);
  const isHollow = count > NODES_DRAWN;
  const [focused, setFocused] = useState<string>();

  const shape = JSON.stringify([
    topology.clusters.map(({ name, nodes }) => [name, nodes.map(({ id }) => id)]),
    isHollow
      ? []
      : topology.edges
          .filter((edge) => edge.fromCluster === edge.toCluster)
          .map(({ from, to }) => [from, to])
          .sort(),
  ]);
  const isPortrait = size.width < size.height;
  const placed = useMemo(
    () =>
      layout(
        topology.clusters.map(({ name, nodes }) => ({
          cluster: name,
          nodes: isHollow ? [] : nodes.map(({ id }) => id),
          edges: isHollow
            ? []
            : topology.edges
                .filter((edge) => edge.fromCluster === name && edge.toCluster === name)
                .map(({ from, to }): [string, string] => [from, to]),
        })),
        size.width === 0 ? { width: 1400, height: 800 } : size,
        // A width that changes by a little does not move the map; its shape does.
        // eslint-disable-next-line react-hooks/exhaustive-deps
      ),
    [shape, isPortrait, Math.round((size.width / Math.max(1, size.height)) * 2)],
  );

  const linkShape = topology.links.map(({ from, to }) => `${from}→${to}`).join();
  const fit = useCallback(() => {
    const links = linkShape.split(',').map((link) => link.split('→'));
    const bounds = around(
      placed,
      isHollow ? [] : links.map(([from = '', to = '']) => ({ from, to })),
    );
    void setViewport(
      getViewportForBounds(bounds, size.width, size.height, ZOOM_LEAST, ZOOM_FIT, 0.04),
    );
  }, [placed, linkShape, isHollow, size.width, size.height, setViewport]);

  const walk = useMemo<Box[]>(
    () => [
      ...placed.nodes,
      ...placed.clusters.map((one) => ({
        ...one,
        id: clusterId(one.id),
        height: isHollow ? one.height : 40,
        width: isHollow ? one.width : Math.min(one.width, 170),
      })),
    ],
    [placed, isHollow],
  );
  const tabStop = walk.some(({ id }) => id === (focused ?? selected))
    ? (focused ?? selected)
    : walk[0]?.id;
  const near = useMemo(
    () =>
      new Set(
        topology.edges.flatMap((edge) =>
          edge.from === selected ? [edge.to] : edge.to === selected ? [edge.from] : [],
        ),
      ),
    [topology, selected],
  );
  const nearKey = [...near].sort().join();
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const shared = useMemo<Shared>(
    () => ({ selected, near, focused: tabStop, onSelect, onOpen }),
    [selected, nearKey, tabStop, onSelect, onOpen],
  );

  const nodes = useMemo<Node[]>(() => {
    const boxes = new Map(placed.clusters.map((one) => [one.id, one]));
    const items = new Map(placed.nodes.map((one) => [one.id, one]));
    return topology.clusters.flatMap((cluster) => {
      const at = boxes.get(cluster.name);
      if (!at) return [];
      const own = {
        id: clusterId(cluster.name),
        type: 'cluster',
        position: { x: at.x, y: at.y },
        width: at.width,
        height: at.height,
        zIndex: 0,
        data: { cluster, shared, isHollow },
      };
      if (isHollow) return [own];
      return [
        own,
        ...cluster.nodes.flatMap((node) => {
          const place = items.get(node.id);
          return place
            ? [
                {
                  id: node.id,
                  type: 'item',
                  position: { x: place.x, y: place.y },
                  width: place.width,
                  height: place.height,
                  zIndex: 2,
                  data: { node, cluster: cluster.name, shared },
                },
              ]
            : [];
        }),
      ];
    });
  }, [topology, placed, shared, isHollow]);

  useEffect(() => {
    if (size.width === 0) return;
    const frame = requestAnimationFrame(fit);
    return () => cancelAnimationFrame(frame);
  }, [fit, size.width]);

  const onKeyDown = (event: KeyboardEvent) => {
    const here = (event.target as Element).closest('[data-item]')?.getAttribute('data-item');
    if (event.key === 'Escape') return onSelect(undefined);
    if (here == null) return;
    if (event.key === 'Enter') onOpen(here);
    else if (event.key === ' ') onSelect(selected === here ? undefined : here);
    else {
      const next = nearest(walk, here, event.key);
      if (next === undefined) return;
      setFocused(next);
      const place = walk.find(({ id }) => id === next)!;
      if (!isInView(box.current, next))
        void setCenter(place.x + place.width / 2, place.y + place.height / 2, { zoom: getZoom() });
      requestAnimationFrame(() =>
        box.current
          ?.querySelector<HTMLElement>(`[data-item="${CSS.escape(next)}"]`)
          ?.focus({ preventScroll: true }),
      );
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      ref={box}
      className="map"
      data-far={isFar}
      role="group"
      aria-label={`Map: ${topology.sentence}. Arrows move, Enter opens, Space selects.`}
      onKeyDown={onKeyDown}
    >
      <ReactFlow
        nodes={nodes}
        edges={[]}
        nodeTypes={TYPES}
        minZoom={ZOOM_LEAST}
        maxZoom={2}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        zoomOnDoubleClick={false}
        preventScrolling
        panOnScroll={false}
        onPaneClick={() => onSelect(undefined)}
        role="presentation"
      >
        <Lines topology={topology} placed={placed} selected={selected} isHollow={isHollow} />
      </ReactFlow>
      <div className="map-tools">
        <button type="button" aria-label="Zoom in" onClick={() => void zoomIn()}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => void zoomOut()}>
          −
        </button>
        <button type="button" aria-label="Whole map" title="Whole map" onClick={fit}>
          ⤢
        </button>
      </div>
    </div>
  );
}

function isInView(map: HTMLElement | null, id: string): boolean {
  const item = map?.querySelector(`[data-item="${CSS.escape(id)}"]`)?.getBoundingClientRect();
  const frame = map?.getBoundingClientRect();
  return (
    item !== undefined &&
    frame !== undefined &&
    item.left >= frame.left &&
    item.right <= frame.right &&
    item.top >= frame.top &&
    item.bottom <= frame.bottom
  );
}

export default function Graph(props: Props) {
  return (
    <ReactFlowProvider>
      <Drawing {...props} />
    </ReactFlowProvider>
  );
}
