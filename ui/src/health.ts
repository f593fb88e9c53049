// How a level looks: a glyph and a word always go with the colour.

import type { Level, Proportions } from './api/views';

export const GLYPHS: Record<Level, string> = {
  healthy: '✓',
  degraded: '!',
  failing: '✕',
  idle: '–',
  unknown: '?',
  draining: '↧',
};

export const WORDS: Record<Level, string> = {
  healthy: 'Healthy',
  degraded: 'Degraded',
  failing: 'Failing',
  idle: 'Idle',
  unknown: 'Unknown',
  draining: 'Draining',
};

/** Worst first, as bars and lists show them. */
export const COUNTED = [
  'failing',
  'degraded',
  'unknown',
  'draining',
  'healthy',
  'idle',
] as const satisfies readonly (keyof Proportions)[];

export function total(proportions: Proportions): number {
  return COUNTED.reduce((sum, level) => sum + proportions[level], 0);
}

/** `2 failing, 38 healthy`, for those who do not see the bar. */
export function proportionsText(proportions: Proportions): string {
  const parts = COUNTED.filter((level) => proportions[level] > 0).map(
    (level) => `${proportions[level]} ${level}`,
  );
  return parts.length === 0 ? 'none' : parts.join(', ');
}

/** Widths in percent; what exists is never too thin to be seen. */
export function widths(
  proportions: Proportions,
  thinnest = 2,
): { level: keyof Proportions; width: number }[] {
  const all = total(proportions);
  if (all === 0) return [];
  const present = COUNTED.filter((level) => proportions[level] > 0);
  const raised = present.map((level) => ({
    level,
    width: Math.max(thinnest, (proportions[level] / all) * 100),
  }));
  const sum = raised.reduce((so, { width }) => so + width, 0);
  return raised.map(({ level, width }) => ({ level, width: (width / sum) * 100 }));
}
