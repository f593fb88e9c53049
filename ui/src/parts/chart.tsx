// A time series of the last minutes. Gaps stay gaps.

import { Suspense, lazy } from 'react';
import type { Series } from '../api/views';
import { milliseconds, perSecond } from '../format';
import { late } from './late';
import { usePainted } from './painted';

const Plot = lazy(late(() => import('./plot')));
export const CHART_HEIGHT = 150;

export interface Line {
  name: string;
  values: (number | null)[];
  color: string;
  isDashed?: boolean;
}

function last(values: (number | null)[]): number | undefined {
  return values.findLast((value) => value !== null) ?? undefined;
}

/** What the picture shows, in a sentence. */
export function summary(lines: Line[], format: (value: number) => string, minutes: string): string {
  const parts = lines.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    const now = last(values);
    if (now === undefined) return `${name}: no data`;
    return `${name}: now ${format(now)}, between ${format(Math.min(...known))} and ${format(Math.max(...known))}`;
  });
  return `Last ${minutes}. ${parts.join('. ')}.`;
}

function Chart({
  lines,
  series,
  at,
  format,
}: {
  lines: Line[];
  series: Series;
  at: number;
  format: (value: number) => string;
}) {
  const isPainted = usePainted();
  const length = Math.max(...lines.map(({ values }) => values.length), 0);
  const minutes = `${Math.max(1, Math.round((length * series.stepMs) / 60_000))} min`;
  const isEmpty = lines.every(({ values }) => last(values) === undefined);
  return (
    <figure className="chart">
      <figcaption className="chart-legend">
        {lines.map((line) => (
          <span key={line.name}>
            <i
              style={{ '--series': line.color } as React.CSSProperties}
              data-dashed={line.isDashed ?? false}
            />
            {line.name}
          </span>
        ))}
        {length > 0 && <span>last {minutes}</span>}
      </figcaption>
      <div role="img" aria-label={summary(lines, format, minutes)} style={{ height: CHART_HEIGHT }}>
        {isEmpty ? (
          <p className="dim" style={{ paddingTop: 56, textAlign: 'center' }}>
            No gateway reported in this time.
          </p>
        ) : (
          isPainted && (
            <Suspense fallback={null}>
              <Plot
                lines={lines}
                stepMs={series.stepMs}
                end={at - series.endAgeMs}
                format={format}
              />
            </Suspense>
          )
        )}
      </div>
    </figure>
  );
}

export function TrafficChart({ series, at }: { series: Series; at: number }) {
  return (
    <Chart
      series={series}
      at={at}
      format={perSecond}
      lines={[
        { name: 'Requests per second', values: series.requestsPerSecond, color: 'var(--accent)' },
        {
          name: 'Errors per second',
          values: series.errorsPerSecond,
          color: 'var(--failing)',
          isDashed: true,
        },
      ]}
    />
  );
}

export function LatencyChart({ series, at }: { series: Series; at: number }) {
  return (
    <Chart
      series={series}
      at={at}
      format={milliseconds}
      lines={[{ name: 'Latency p95', values: series.p95Ms, color: 'var(--unknown)' }]}
    />
  );
}
