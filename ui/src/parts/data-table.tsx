// Tables: what a column is called, and what of a row stands in it. On a phone a row is a card, its
// first column the head of it.

import type { ReactNode } from 'react';
import type { Maybe, Rates } from '../api/views';
import { ErrorShare, LatencyText, RateText } from './figures';
import { TableBox } from './panel';

export interface Column<T> {
  name: string;
  isNumber?: boolean;
  /** Of the cells. */
  className?: string;
  cell: (row: T) => ReactNode;
}

const NUMBER = 'number';

export function DataTable<T>({
  label,
  columns,
  rows,
  keyOf,
  none,
}: {
  label: string;
  columns: Column<T>[];
  rows: T[];
  keyOf: (row: T) => string;
  /** What stands there without rows. */
  none?: string;
}) {
  return (
    <TableBox label={label}>
      <table className="cards-on-phone">
        <thead>
          <tr>
            {columns.map(({ name, isNumber }) => (
              <th key={name} scope="col" className={isNumber ? NUMBER : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, isNumber, className = '', cell }, index) => (
                <td
                  key={name}
                  className={`${isNumber ? NUMBER : className}${index === 0 ? ' whole' : ''}`}
                  data-name={index === 0 ? undefined : name}
                >
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {rows.length === 0 && none !== undefined && (
            <tr>
              <td colSpan={columns.length} className="dim whole">
                {none}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </TableBox>
  );
}

/** Requests, errors and latency. */
export function rateColumns<T extends { rates?: Maybe<Rates> }>(): Column<T>[] {
  return [
    { name: 'Requests', isNumber: true, cell: ({ rates }) => <RateText rates={rates} /> },
    { name: 'Errors', isNumber: true, cell: ({ rates }) => <ErrorShare rates={rates} /> },
    { name: 'p95', isNumber: true, cell: ({ rates }) => <LatencyText rates={rates} /> },
  ];
}
