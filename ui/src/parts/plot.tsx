import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef } from 'react';
import { useColorScheme } from '@mantine/hooks';
import { CHART_HEIGHT, type Line } from './chart';

type Scheme = 'light' | 'dark';
const colors: Record<Scheme, Map<string, string>> = { light: new Map(), dark: new Map() };

/**
 * Colours are read from the page, because a canvas knows no custom properties; each once, because
 * reading makes the browser lay out what is half drawn.
 */
function colorOf(scheme: Scheme, color: string): string {
  const name = /^var\((--[a-z-]+)\)$/.exec(color)?.[1];
  if (name === undefined) return color;
  let value = colors[scheme].get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    colors[scheme].set(name, value);
  }
  return value;
}

function data(lines: Line[], stepMs: number, end: number): uPlot.AlignedData {
  const length = Math.max(...lines.map(({ values }) => values.length));
  const times = Array.from({ length }, (_, index) => (end - (length - 1 - index) * stepMs) / 1000);
  return [times, ...lines.map(({ values }) => values)];
}

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

function timeOfDay(seconds: number): string {
  return TIME.format(seconds * 1000);
}

export default function Plot({
  lines,
  stepMs,
  end,
  format,
}: {
  lines: Line[];
  stepMs: number;
  end: number;
  format: (value: number) => string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  // Not light at first and dark then, which would make each plot twice.
  const scheme = useColorScheme('light', { getInitialValueInEffect: false });
  const shape = lines.map((line) => line.name).join();
  const latest = useRef({ lines, stepMs, end });
  useEffect(() => {
    latest.current = { lines, stepMs, end };
  });

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const text = colorOf(scheme, 'var(--dim)');
    const grid = { stroke: colorOf(scheme, 'var(--line)'), width: 1 };
    const font = `11px ${colorOf(scheme, 'var(--sans)')}`;
    const made = new uPlot(
      {
        width: Math.max(80, element.clientWidth),
        height: CHART_HEIGHT,
        legend: { show: false },
        // The last label of time stands half beyond the plot.
        padding: [8, 18, 0, 0],
        cursor: { show: false },
        scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.12, 0.1)] } },
        axes: [
          {
            stroke: text,
            grid: { show: false },
            ticks: { show: false },
            font,
            size: 24,
            space: 90,
            values: (_, ticks) => ticks.map(timeOfDay),
          },
          {
            stroke: text,
            grid,
            ticks: { show: false },
            font,
            size: 58,
            space: 34,
            values: (_, ticks) => ticks.map((tick) => format(tick)),
          },
        ],
        series: [
          {},
          ...latest.current.lines.map((line) => ({
            stroke: colorOf(scheme, line.color),
            width: 1.75,
            dash: line.isDashed ? [5, 4] : undefined,
            points: { show: false },
            fill: line.isDashed
              ? undefined
              : `color-mix(in srgb, ${colorOf(scheme, line.color)} 12%, transparent)`,
          })),
        ],
      },
      data(latest.current.lines, latest.current.stepMs, latest.current.end),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: Math.max(80, element.clientWidth), height: CHART_HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [scheme, shape, format]);

  useEffect(() => {
    plot.current?.setData(data(lines, stepMs, end));
  }, [lines, stepMs, end]);
  return <div ref={box} />;
}
