// Numbers for people: three digits, a unit, never a bare number.

const STEPS: [number, string][] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95 || Number.isInteger(value)) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1).replace(/\.0$/, '');
  return value.toFixed(2).replace(/\.?0+$/, '');
}

/** 1234 is `1.23 k`; the unit follows without a second space. */
export function si(value: number, unit: string): string {
  for (const [step, prefix] of STEPS) {
    if (Math.abs(value) >= step * 0.9995) return `${digits(value / step)} ${prefix}${unit}`;
  }
  return unit === '' ? digits(value) : `${digits(value)} ${unit}`;
}

export function perSecond(value: number): string {
  if (value > 0 && value < 0.01) return '<0.01/s';
  for (const [step, prefix] of STEPS) {
    if (value >= step * 0.9995) return `${digits(value / step)}${prefix}/s`;
  }
  return `${digits(value)}/s`;
}

export function bytesPerSecond(value: number): string {
  return si(Math.round(value), 'B/s');
}

export function count(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', '\u2009');
}

/** A share of one as a percentage; what is not nothing never reads `0 %`. */
export function share(value: number): string {
  const percent = value * 100;
  if (percent === 0) return '0 %';
  if (percent < 0.1) return '<0.1 %';
  if (percent < 9.95) return `${percent.toFixed(1).replace(/\.0$/, '')} %`;
  if (percent > 99.5 && percent < 100) return '>99 %';
  return `${percent.toFixed(0)} %`;
}

export function milliseconds(value: number): string {
  if (value < 1) return '<1 ms';
  if (value < 9.95) return `${value.toFixed(1).replace(/\.0$/, '')} ms`;
  if (value < 999.5) return `${value.toFixed(0)} ms`;
  return `${digits(value / 1000)} s`;
}

const AGES: [number, string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
];

export function age(ms: number): string {
  for (const [step, unit] of AGES) if (ms >= step) return `${Math.floor(ms / step)} ${unit}`;
  return `${Math.max(0, Math.round(ms / 1000))} s`;
}

/** A workload by its SPIFFE ID, as services are written: `NAMESPACE/ACCOUNT`. */
export function callerName(identity: string | null | undefined): string {
  if (identity == null) return 'no identity';
  const [, namespace, account] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(identity) ?? [];
  return namespace === undefined ? identity : `${namespace}/${account}`;
}

/** Hours, minutes and seconds, as wide at noon as at midnight. */
export function timeOfDay(at: number): string {
  return TIME_OF_DAY.format(at);
}

const TIME_OF_DAY = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

export function clock(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}
