import type { Link as ClusterLinkView } from '../api/views';
import { milliseconds, perSecond, share } from '../format';
import { Absent } from './figures';
import { LevelMark } from './level';
import { ClusterLink } from './links';
import { Empty, TableBox } from './panel';

export function LinkTable({ links }: { links: ClusterLinkView[]; at: number }) {
  if (links.length === 0)
    return (
      <Empty title="No link yet">
        <p>Gateways connect to each other with the first call between two clusters.</p>
      </Empty>
    );
  return (
    <TableBox label="Links between clusters">
      <table>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">To</th>
            <th scope="col">State</th>
            <th scope="col" className="number">
              Round trip
            </th>
            <th scope="col" className="number">
              Loss
            </th>
            <th scope="col" className="number">
              Requests
            </th>
          </tr>
        </thead>
        <tbody>
          {links.map((link) => (
            <tr key={`${link.from}/${link.to}`}>
              <td>
                <ClusterLink name={link.from} />
              </td>
              <td>
                <ClusterLink name={link.to} />
              </td>
              <td>
                <LevelMark level={link.level} text={link.text} />
              </td>
              <td className="number">
                {link.roundTripMs == null ? <Absent /> : milliseconds(link.roundTripMs)}
              </td>
              <td className="number">
                {link.lossShare == null ? <Absent /> : share(link.lossShare)}
              </td>
              <td className="number">
                {link.rates ? (
                  perSecond(link.rates.requestsPerSecond)
                ) : (
                  <Absent why="no gateway reported" />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
