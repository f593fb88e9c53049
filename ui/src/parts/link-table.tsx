import type { Link as ClusterLinkView } from '../api/views';
import { milliseconds, share } from '../format';
import { type Column, DataTable } from './data-table';
import { Absent, Age, RateText } from './figures';
import { LevelMark } from './level';
import { ClusterLink } from './links';
import { Empty } from './panel';

/** How long ago the newest of the gateways' measurements was made. */
function ageMs(link: ClusterLinkView): number | undefined {
  const ages = link.gateways.map((gateway) => gateway.ageMs);
  return ages.length === 0 ? undefined : Math.min(...ages);
}

function columns(at: number): Column<ClusterLinkView>[] {
  return [
    { name: 'From', cell: (link) => <ClusterLink name={link.from} /> },
    { name: 'To', cell: (link) => <ClusterLink name={link.to} /> },
    {
      name: 'State',
      // The text of a healthy link is its round trip, which has a column.
      cell: ({ level, text }) => (
        <LevelMark level={level} text={level === 'healthy' ? undefined : text} />
      ),
    },
    {
      name: 'Round trip',
      isNumber: true,
      cell: (link) => (link.roundTripMs == null ? <Absent /> : milliseconds(link.roundTripMs)),
    },
    {
      name: 'Loss',
      isNumber: true,
      cell: (link) => (link.lossShare == null ? <Absent /> : share(link.lossShare)),
    },
    { name: 'Requests', isNumber: true, cell: (link) => <RateText rates={link.rates} /> },
    { name: 'Measured', isNumber: true, cell: (link) => <Age ms={ageMs(link)} at={at} /> },
  ];
}

export function LinkTable({ links, at }: { links: ClusterLinkView[]; at: number }) {
  if (links.length === 0)
    return (
      <Empty title="No link yet">
        <p>Gateways connect to each other with the first call between two clusters.</p>
      </Empty>
    );
  return (
    <DataTable
      label="Links between clusters"
      columns={columns(at)}
      rows={links}
      keyOf={(link) => `${link.from}/${link.to}`}
    />
  );
}
