import { memo } from 'react';
import type { ServiceRow } from '../api/views';
import { age, share } from '../format';
import { Absent, ErrorShare, LatencyText, RateText } from './figures';
import { Glyph, LevelMark } from './level';
import { ServiceLink } from './links';
import { usePainted } from './painted';
import { TableBox } from './panel';

/** The least that a row is high, in CSS pixels. */
const ROW_HEIGHT = 34;

/** What the screen has room for; the others follow once these are painted. */
function screenful(): number {
  return Math.ceil(window.innerHeight / ROW_HEIGHT);
}

export function ClusterChips({ clusters }: { clusters: ServiceRow['clusters'] }) {
  return (
    <span className="chips">
      {clusters.map(({ name, level, exported, healthy, total, ageMs }) => {
        const counts =
          healthy == null || total == null
            ? 'endpoints not known'
            : `${healthy} of ${total} endpoints healthy`;
        const said = `${name}: ${level}, ${counts}${ageMs == null ? '' : `, said ${age(ageMs)} ago`}${exported ? '' : ', not exported'}`;
        return (
          <span key={name} className={exported ? 'chip' : 'chip chip-muted'} title={said}>
            <Glyph level={level} />
            <span aria-hidden="true">
              {name}{' '}
              {healthy != null && total != null && (
                <span className="dim">
                  {healthy}/{total}
                </span>
              )}
            </span>
            <span className="visually-hidden">{said}</span>
          </span>
        );
      })}
    </span>
  );
}

const Row = memo(function Row({ row }: { row: ServiceRow }) {
  const { rates } = row;
  return (
    <tr>
      <td className="whole">
        <ServiceLink namespace={row.namespace} name={row.name} />
        {row.workspace != null && (
          <>
            {' '}
            <span className="tag">{row.workspace}</span>
          </>
        )}
      </td>
      <td className="whole">
        <LevelMark level={row.level} text={row.text} />
      </td>
      <td className="whole">
        <ClusterChips clusters={row.clusters} />
      </td>
      <td className="dim nowrap" data-name="Ports">
        {row.ports}
      </td>
      <td className="number" data-name="Requests">
        <RateText rates={rates} />
      </td>
      <td className="number" data-name="Errors">
        <ErrorShare rates={rates} />
      </td>
      <td className="number" data-name="p95">
        <LatencyText rates={rates} />
      </td>
      <td className="number" data-name="Leaves">
        {row.remoteShare == null ? <Absent why="no traffic to measure" /> : share(row.remoteShare)}
      </td>
    </tr>
  );
});

export function ServiceTable({ rows }: { rows: ServiceRow[]; at: number }) {
  const isPainted = usePainted();
  const shown = isPainted ? rows : rows.slice(0, screenful());
  return (
    <TableBox label="Services">
      <table className="cards-on-phone">
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col">Health</th>
            <th scope="col">Lives in, healthy endpoints</th>
            <th scope="col">Ports</th>
            <th scope="col" className="number">
              Requests
            </th>
            <th scope="col" className="number">
              Errors
            </th>
            <th scope="col" className="number">
              p95
            </th>
            <th
              scope="col"
              className="number"
              title="Share of the traffic that leaves the caller's cluster"
            >
              Leaves
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <Row key={`${row.namespace}/${row.name}`} row={row} />
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
