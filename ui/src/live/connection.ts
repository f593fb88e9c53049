// What the page says of its own connection, and when it tries again. Pure: time is an argument.

export type Phase = 'opening' | 'open' | 'waiting' | 'paused';

export interface Connection {
  phase: Phase;
  /** When anything was last heard, heartbeats included. */
  heardAt?: number;
  /** When the next attempt is due, while waiting. */
  retryAt?: number;
  attempt: number;
}

/** Heartbeats come every 5 s; one may be late. */
export const LATE_MS = 8_000;
/** After two missed heartbeats and some slack the stream is taken for dead and opened anew. */
export const DEAD_MS = 16_000;
const RETRY_MS_FIRST = 500;
const RETRY_MS_LAST = 10_000;

/** Doubles, is bounded, and differs between tabs by `draw` (0 to 1). */
export function retryDelay(attempt: number, draw: number): number {
  const full = Math.min(RETRY_MS_LAST, RETRY_MS_FIRST * 2 ** Math.min(attempt, 10));
  return full / 2 + (full / 2) * draw;
}

export interface Shown {
  state: 'live' | 'late' | 'offline' | 'paused' | 'opening';
  text: string;
  stale: boolean;
}

export function shown(connection: Connection, now: number): Shown {
  const { phase, heardAt } = connection;
  const silence = heardAt === undefined ? undefined : Math.max(0, now - heardAt);
  if (phase === 'paused') return { state: 'paused', text: 'Paused', stale: false };
  if (silence === undefined) {
    return phase === 'waiting'
      ? { state: 'offline', text: 'Offline', stale: true }
      : { state: 'opening', text: 'Connecting', stale: false };
  }
  const seconds = Math.round(silence / 1000);
  // An attempt after one that failed is no sign of life.
  const isHeard = phase === 'open' || (phase === 'opening' && connection.attempt === 0);
  if (isHeard && silence < DEAD_MS) {
    return silence < LATE_MS
      ? { state: 'live', text: 'Live', stale: false }
      : { state: 'late', text: `${seconds} s behind`, stale: true };
  }
  // A reconnect that succeeds at once is not worth a word.
  if (silence < 3_000) return { state: 'live', text: 'Live', stale: false };
  return { state: 'offline', text: `Offline, ${seconds} s old`, stale: true };
}
