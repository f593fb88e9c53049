// The same as the map, as tables.

import type { TopoCluster, TopoEdge, TopoNode, Topology } from '../api/views';
import { age } from '../format';
import { type Column, DataTable, rateColumns } from '../parts/data-table';
import { LevelMark, ProportionsBar } from '../parts/level';
import { LinkTable } from '../parts/link-table';
import { ClusterLink, ServiceLink } from '../parts/links';
import { Panel } from '../parts/panel';

interface Placed extends TopoNode {
  cluster: string;
}

function placed(clusters: TopoCluster[]): Placed[] {
  return clusters.flatMap(({ name, nodes }) => nodes.map((node) => ({ ...node, cluster: name })));
}

function nodeColumns(isGrouped: boolean): Column<Placed>[] {
  return [
    {
      name: isGrouped ? 'Workspace' : 'Service',
      cell: ({ namespace, name, label }) =>
        namespace != null && name != null ? (
          <ServiceLink namespace={namespace} name={name} />
        ) : (
          label
        ),
    },
    { name: 'Cluster', cell: ({ cluster }) => <ClusterLink name={cluster} /> },
    {
      name: 'Health',
      cell: ({ kind, services, level }) =>
        kind === 'workspace' ? <ProportionsBar of={services} /> : <LevelMark level={level} />,
    },
    ...rateColumns<Placed>(),
  ];
}

function edgeColumns(name: (id: string) => string): Column<TopoEdge>[] {
  return [
    { name: 'From', cell: ({ from }) => name(from) },
    {
      name: 'To',
      cell: ({ to, fromCluster, toCluster }) => (
        <>
          {name(to)}
          {fromCluster !== toCluster && <span className="dim"> ⇄ another cluster</span>}
        </>
      ),
    },
    {
      name: 'State',
      // The text of a healthy call is its rate, which has a column.
      cell: ({ level, text }) => (
        <LevelMark level={level} text={level === 'healthy' ? undefined : text} />
      ),
    },
    ...rateColumns<TopoEdge>(),
  ];
}

export function Tables({ topology, at }: { topology: Topology; at: number }) {
  const { clusters, edges, edgesOmitted, grouped, links } = topology;
  const time = age(topology.overMs);
  const nodes = placed(clusters);
  const labels = new Map(nodes.map(({ id, label, cluster }) => [id, `${label} @${cluster}`]));
  return (
    <div className="column">
      <Panel
        title={grouped ? 'Groups' : 'Services'}
        note={`by cluster, rates of the last ${time}`}
        isFlush
      >
        <DataTable
          label={grouped ? 'Groups by cluster' : 'Services by cluster'}
          columns={nodeColumns(grouped)}
          rows={nodes}
          keyOf={({ id }) => id}
        />
      </Panel>
      <Panel
        title="Calls"
        note={`last ${time}${edgesOmitted > 0 ? `, ${edgesOmitted} more left out` : ''}`}
        isFlush
      >
        <DataTable
          label="Calls"
          columns={edgeColumns((id) => labels.get(id) ?? `other callers @${id}`)}
          rows={edges}
          keyOf={({ from, to }) => `${from}/${to}`}
          none={`No call in the last ${time}.`}
        />
      </Panel>
      <Panel title="Links between clusters" isFlush>
        <LinkTable links={links} at={at} />
      </Panel>
    </div>
  );
}
