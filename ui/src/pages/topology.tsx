import { Button, NativeSelect, SegmentedControl } from '@mantine/core';
import { Link, getRouteApi } from '@tanstack/react-router';
import { Suspense, lazy, useCallback } from 'react';
import { views } from '../api/paths';
import type { Level, Services, Topology } from '../api/views';
import { age } from '../format';
import { useKeys } from '../keys';
import { useView } from '../live/live';
import { Filters, NONE } from '../parts/filters';
import { RateFigures, RateText } from '../parts/figures';
import { late } from '../parts/late';
import { LevelMark, ProportionsBar } from '../parts/level';
import { ClusterLink, ServiceLink } from '../parts/links';
import { Empty, Gaps, Loading, ProblemNote } from '../parts/panel';
import { RangeChoice } from '../parts/range';
import { PageHead } from '../parts/shell';
import { Tables } from '../topology/tables';
import '../topology/topology.css';
import './pages.css';

const Graph = lazy(late(() => import('../topology/graph')));
const route = getRouteApi('/topology');
const FLOWS_SHOWN = 8;
const BAD_SHOWN = 10;

export function TopologyPage() {
  const wishes = route.useSearch();
  const navigate = route.useNavigate();
  const { data, problem, at } = useView<Topology>(
    views.topology({
      search: wishes.search,
      cluster: wishes.cluster,
      workspace: wishes.workspace,
      level: wishes.level,
      group: wishes.group,
      over: wishes.over,
    }),
  );
  const facets = useView<Services>(views.services({ limit: 1 })).data?.facets;
  const set = useCallback(
    (change: Partial<typeof wishes>) =>
      void navigate({ search: (before) => ({ ...before, ...change }), replace: true }),
    [navigate],
  );
  const isTable = wishes.show === 'table';
  useKeys({ v: () => set({ show: isTable ? undefined : 'table' }) });

  const onSelect = useCallback((node: string | undefined) => set({ node }), [set]);
  const onOpen = useCallback(
    (id: string) => {
      if (id.startsWith('@'))
        return void navigate({ to: '/clusters/$name', params: { name: id.slice(1) } });
      const node = data?.clusters.flatMap(({ nodes }) => nodes).find((one) => one.id === id);
      if (node?.kind === 'service' && node.namespace && node.name)
        void navigate({
          to: '/services/$namespace/$name',
          params: { namespace: node.namespace, name: node.name },
          search: {},
        });
      else if (node)
        set({
          workspace: node.workspace ?? NONE,
          cluster: id.split('/')[0],
          group: 'none',
          node: undefined,
        });
    },
    [data, navigate, set],
  );

  return (
    <>
      <PageHead title="Topology" name="Topology" at={at}>
        <div className="row tools">
          <p className="dim" role="status">
            {data?.sentence ?? ' '}
          </p>
          <RangeChoice value={wishes.over} onChoose={(over) => set({ over })} />
          <SegmentedControl
            aria-label="Show as"
            value={isTable ? 'table' : 'graph'}
            onChange={(show) => set({ show: show === 'table' ? 'table' : undefined })}
            data={[
              { value: 'graph', label: 'Graph' },
              { value: 'table', label: 'Table' },
            ]}
          />
        </div>
      </PageHead>
      <Filters label="Filter of the map" wishes={wishes} facets={facets} onChange={set}>
        <NativeSelect
          label="Show"
          value={wishes.group ?? ''}
          onChange={(event) =>
            set({ group: (event.currentTarget.value || undefined) as typeof wishes.group })
          }
          data={[
            { value: '', label: 'Automatic' },
            { value: 'none', label: 'Services' },
            { value: 'workspace', label: 'Workspaces' },
          ]}
        />
      </Filters>
      {problem && <ProblemNote problem={problem} hasRetry={!data} />}
      {data && <Gaps gaps={data.gaps} />}
      {!data && !problem && <Loading label="the map" rows={18} />}
      {data && data.clusters.length === 0 && (
        <Empty title="Nothing to draw">
          <p>
            No cluster{' '}
            {wishes.search || wishes.cluster || wishes.workspace || wishes.level
              ? 'has a service that fits the filter.'
              : 'has joined yet.'}
          </p>
          <div>
            <Button
              variant="default"
              onClick={() => void navigate({ search: { over: wishes.over }, replace: true })}
            >
              Clear the filter
            </Button>
          </div>
        </Empty>
      )}
      {data &&
        data.clusters.length > 0 &&
        (isTable ? (
          <Tables topology={data} at={at} />
        ) : (
          <div className="map-frame">
            <Suspense fallback={<div className="map" role="status" aria-label="Loading the map" />}>
              <Graph topology={data} selected={wishes.node} onSelect={onSelect} onOpen={onOpen} />
            </Suspense>
            {wishes.node === undefined ? (
              <Legend topology={data} onSelect={onSelect} />
            ) : (
              <Selected
                topology={data}
                id={wishes.node}
                onOpen={onOpen}
                onClose={() => onSelect(undefined)}
              />
            )}
          </div>
        ))}
    </>
  );
}

const LINES: [Level, string][] = [
  ['healthy', 'requests flow, no trouble'],
  ['degraded', 'errors, or packets lost'],
  ['failing', 'failing'],
  ['unknown', 'nobody reports'],
];

/** What the signs mean, and what is worth a look while nothing is selected. */
function Legend({ topology, onSelect }: { topology: Topology; onSelect: (id: string) => void }) {
  const all = topology.clusters.flatMap((cluster) => [
    { id: `@${cluster.name}`, level: cluster.level, name: cluster.name },
    ...cluster.nodes.map(({ id, level, label }) => ({
      id,
      level,
      name: `${label} @${cluster.name}`,
    })),
  ]);
  const bad = [
    ...all.filter(({ level }) => level === 'failing'),
    ...all.filter(({ level }) => level === 'degraded'),
  ];
  return (
    <aside className="panel map-panel" aria-label="Worth a look">
      <div className="panel-head">
        <h2>Worth a look</h2>
      </div>
      <div className="panel-body stack" style={{ gap: 12 }}>
        {bad.length === 0 && <p className="dim">Nothing here fails or is degraded.</p>}
        <ul className="stack" style={{ gap: 4 }}>
          {bad.slice(0, BAD_SHOWN).map(({ id, level, name }) => (
            <li key={id}>
              <button type="button" className="pick" onClick={() => onSelect(id)}>
                <LevelMark level={level} text={name} />
              </button>
            </li>
          ))}
        </ul>
        {bad.length > BAD_SHOWN && (
          <p className="dim">and {bad.length - BAD_SHOWN} more: filter by health</p>
        )}
        <h3>Lines</h3>
        <ul className="map-legend small">
          <li>
            <svg width="34" height="8" className="map-lines-sample" aria-hidden="true">
              <path className="trunk" data-level="healthy" d="M1,4L33,4" />
            </svg>
            between clusters: rate, round trip, loss
          </li>
          {LINES.map(([level, text]) => (
            <li key={level}>
              <svg width="34" height="8" className="map-lines-sample" aria-hidden="true">
                <path data-level={level} d="M1,4L33,4" />
              </svg>
              {text}
            </li>
          ))}
        </ul>
        <p className="small dim">
          Rates are of the last {age(topology.overMs)}. Calls from cluster to cluster are drawn one
          by one for what is selected. Double click, or Enter, opens.
        </p>
      </div>
    </aside>
  );
}

function Selected({
  topology,
  id,
  onOpen,
  onClose,
}: {
  topology: Topology;
  id: string;
  onOpen: (id: string) => void;
  onClose: () => void;
}) {
  const cluster = topology.clusters.find(
    ({ name, nodes }) => id === `@${name}` || nodes.some((node) => node.id === id),
  );
  if (!cluster) return null;
  const node = cluster.nodes.find((one) => one.id === id);
  const name = (other: string) => {
    const found = topology.clusters.flatMap(({ name: of, nodes }) =>
      nodes.filter((one) => one.id === other).map((one) => `${one.label} @${of}`),
    )[0];
    return found ?? `other callers @${other}`;
  };
  const flows = (edges: Topology['edges'], end: 'from' | 'to') => (
    <ul className="map-flows">
      {edges.slice(0, FLOWS_SHOWN).map((edge) => (
        <li key={edge[end]}>
          <span className="wrap">{name(edge[end])}</span>
          <span className="number">
            <RateText rates={edge.rates} />
          </span>
        </li>
      ))}
      {edges.length > FLOWS_SHOWN && <li className="dim">and {edges.length - FLOWS_SHOWN} more</li>}
      {edges.length === 0 && <li className="dim">none in the last {age(topology.overMs)}</li>}
    </ul>
  );
  return (
    <aside className="panel map-panel" aria-label="Selection">
      <div className="panel-head">
        <h2 className="panel-title">
          {node ? (
            node.namespace != null && node.name != null ? (
              <ServiceLink namespace={node.namespace} name={node.name} cluster={cluster.name} />
            ) : (
              <span className="strong">
                {node.label} @{cluster.name}
              </span>
            )
          ) : (
            <ClusterLink name={cluster.name} />
          )}
        </h2>
        <Button variant="subtle" size="compact-xs" onClick={onClose}>
          Let go
        </Button>
      </div>
      <div className="panel-body stack" style={{ gap: 12 }}>
        <LevelMark level={node?.level ?? cluster.level} text={node ? undefined : cluster.text} />
        {(!node || node.kind === 'workspace') && (
          <ProportionsBar of={node?.services ?? cluster.services} />
        )}
        {node && (
          <>
            <p className="small dim">rates of the last {age(topology.overMs)}</p>
            <RateFigures rates={node.rates} />
            <h3>Called by</h3>
            {flows(
              topology.edges.filter((edge) => edge.to === id),
              'from',
            )}
            <h3>Calls</h3>
            {flows(
              topology.edges.filter((edge) => edge.from === id),
              'to',
            )}
          </>
        )}
        {!node && (
          <>
            <h3>Links</h3>
            <ul className="map-flows">
              {topology.links
                .filter((link) => link.from === cluster.name || link.to === cluster.name)
                .slice(0, 12)
                .map((link) => (
                  <li key={`${link.from}/${link.to}`}>
                    <span>
                      {link.from} → {link.to}
                    </span>
                    <span className="dim">{link.text}</span>
                  </li>
                ))}
            </ul>
          </>
        )}
        <div className="row">
          <Button variant="default" onClick={() => onOpen(id)}>
            {node?.kind === 'workspace' ? 'Show its services' : 'Open'}
          </Button>
          {!node && (
            <Button
              variant="default"
              renderRoot={(props) => (
                <Link
                  to="/topology"
                  search={(before) => ({ ...before, cluster: cluster.name, node: undefined })}
                  {...props}
                />
              )}
            >
              Only this cluster
            </Button>
          )}
        </div>
      </div>
    </aside>
  );
}
