// The same as the map, as tables.

import type { Topology } from '../api/views';
import { ErrorShare, LatencyText, RateText } from '../parts/figures';
import { LevelMark, ProportionsBar } from '../parts/level';
import { LinkTable } from '../parts/link-table';
import { ClusterLink, ServiceLink } from '../parts/links';
import { Panel, TableBox } from '../parts/panel';

export function Tables({ topology, at }: { topology: Topology; at: number }) {
  const labels = new Map(
    topology.clusters.flatMap(({ name, nodes }) =>
      nodes.map((node) => [node.id, `${node.label} @${name}`] as const),
    ),
  );
  const name = (id: string) => labels.get(id) ?? `other callers @${id}`;
  return (
    <div className="column">
      <Panel
        title={topology.grouped ? 'Groups' : 'Services'}
        note="by cluster, rates of the last 30 s"
        isFlush
      >
        <TableBox label={topology.grouped ? 'Groups by cluster' : 'Services by cluster'}>
          <table>
            <thead>
              <tr>
                <th scope="col">Cluster</th>
                <th scope="col">{topology.grouped ? 'Workspace' : 'Service'}</th>
                <th scope="col">Health</th>
                <th scope="col" className="number">
                  Requests
                </th>
                <th scope="col" className="number">
                  Errors
                </th>
                <th scope="col" className="number">
                  p95
                </th>
              </tr>
            </thead>
            <tbody>
              {topology.clusters.flatMap((cluster) =>
                cluster.nodes.map((node) => (
                  <tr key={node.id}>
                    <td>
                      <ClusterLink name={cluster.name} />
                    </td>
                    <td>
                      {node.kind === 'service' && node.namespace != null && node.name != null ? (
                        <ServiceLink namespace={node.namespace} name={node.name} />
                      ) : (
                        node.label
                      )}
                    </td>
                    <td>
                      {node.kind === 'workspace' ? (
                        <ProportionsBar of={node.services} />
                      ) : (
                        <LevelMark level={node.level} />
                      )}
                    </td>
                    <td className="number">
                      <RateText rates={node.rates} />
                    </td>
                    <td className="number">
                      <ErrorShare rates={node.rates} />
                    </td>
                    <td className="number">
                      <LatencyText rates={node.rates} />
                    </td>
                  </tr>
                )),
              )}
            </tbody>
          </table>
        </TableBox>
      </Panel>
      <Panel
        title="Calls"
        note={`last 30 s${topology.edgesOmitted > 0 ? `, ${topology.edgesOmitted} more left out` : ''}`}
        isFlush
      >
        <TableBox label="Calls">
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">To</th>
                <th scope="col">State</th>
                <th scope="col" className="number">
                  Requests
                </th>
                <th scope="col" className="number">
                  Errors
                </th>
                <th scope="col" className="number">
                  p95
                </th>
              </tr>
            </thead>
            <tbody>
              {topology.edges.map((edge) => (
                <tr key={`${edge.from}/${edge.to}`}>
                  <td>{name(edge.from)}</td>
                  <td>
                    {name(edge.to)}
                    {edge.fromCluster !== edge.toCluster && (
                      <span className="dim"> ⇄ another cluster</span>
                    )}
                  </td>
                  <td>
                    <LevelMark level={edge.level} text={edge.text} />
                  </td>
                  <td className="number">
                    <RateText rates={edge.rates} />
                  </td>
                  <td className="number">
                    <ErrorShare rates={edge.rates} />
                  </td>
                  <td className="number">
                    <LatencyText rates={edge.rates} />
                  </td>
                </tr>
              ))}
              {topology.edges.length === 0 && (
                <tr>
                  <td colSpan={6} className="dim">
                    No call in the last 30 seconds.
                  </td>
                </tr>
              )}
            </tbody>
          </table>
        </TableBox>
      </Panel>
      <Panel title="Links between clusters" isFlush>
        <LinkTable links={topology.links} at={at} />
      </Panel>
    </div>
  );
}
