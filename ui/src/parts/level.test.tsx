import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import type { Level } from '../api/views';
import { LevelMark, ProportionsBar } from './level';

afterEach(cleanup);

const LEVELS: Level[] = ['healthy', 'degraded', 'failing', 'idle', 'unknown', 'draining'];

test('no two levels differ by colour alone', () => {
  const { container } = render(
    <>
      {LEVELS.map((level) => (
        <LevelMark key={level} level={level} />
      ))}
    </>,
  );
  const texts = [...container.querySelectorAll('.level')].map((mark) => mark.textContent);
  const glyphs = [...container.querySelectorAll('.level-glyph')].map((glyph) => glyph.textContent);
  expect(new Set(texts).size).toBe(LEVELS.length);
  expect(new Set(glyphs).size).toBe(LEVELS.length);
});

test('a level is spoken also where a reason stands in its place', () => {
  render(<LevelMark level="failing" text="no healthy endpoint" />);
  expect(screen.getByText('no healthy endpoint').closest('.level')?.textContent).toBe(
    '✕Failing: no healthy endpoint',
  );
});

test('a bar says its numbers', () => {
  render(
    <ProportionsBar
      of={{ healthy: 3, degraded: 0, failing: 1, idle: 0, unknown: 0, draining: 0 }}
    />,
  );
  screen.getByRole('img', { name: 'services: 1 failing, 3 healthy' });
});
