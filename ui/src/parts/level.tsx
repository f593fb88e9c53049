import type { ReactNode } from 'react';
import type { Level, Proportions } from '../api/views';
import { COUNTED, GLYPHS, WORDS, proportionsText, widths } from '../health';

export function Glyph({ level }: { level: Level }) {
  return (
    <span className="level-glyph" data-level={level} aria-hidden="true">
      {GLYPHS[level]}
    </span>
  );
}

/** A level: colour, glyph and word. `text` says more than the word; the word is then only spoken. */
export function LevelMark({ level, text }: { level: Level; text?: ReactNode }) {
  return (
    <span className="level" data-level={level}>
      <Glyph level={level} />
      {text === undefined ? (
        WORDS[level]
      ) : (
        <>
          <span className="visually-hidden">{WORDS[level]}: </span>
          <span className="level-text">{text}</span>
        </>
      )}
    </span>
  );
}

/** How many of each level, never the worst alone. */
export function ProportionsBar({
  of,
  what = 'services',
  hasCounts = true,
}: {
  of: Proportions;
  what?: string;
  hasCounts?: boolean;
}) {
  const text = `${what}: ${proportionsText(of)}`;
  return (
    <div className="proportions">
      <div className="proportions-bar" role="img" aria-label={text} title={text}>
        {widths(of).map(({ level, width }) => (
          <span key={level} data-level={level} style={{ width: `${width}%` }} />
        ))}
      </div>
      {hasCounts && (
        <div className="proportions-counts" aria-hidden="true">
          {COUNTED.filter((level) => of[level] > 0).map((level) => (
            <span key={level} data-level={level}>
              <span>{GLYPHS[level]}</span>
              <span>
                {of[level]} {level}
              </span>
            </span>
          ))}
          {widths(of).length === 0 && <span className="dim">no {what}</span>}
        </div>
      )}
    </div>
  );
}
