import { Link } from '@tanstack/react-router';
import type { ChangeLine } from '../api/views';
import { clock } from '../format';
import { Age } from './figures';
import { Empty } from './panel';

/** Changes in short; each leads to itself on the page of changes. */
export function ChangeList({ changes, at }: { changes: ChangeLine[]; at: number }) {
  if (changes.length === 0) {
    return (
      <Empty title="No change yet">
        <p>
          What is applied, shifted, drained or reverted is listed here, with who did it and why.
        </p>
      </Empty>
    );
  }
  return (
    <ul>
      {changes.map((change) => (
        <li key={change.revision} className="change">
          <time dateTime={change.time} title={clock(change.time)}>
            <Age ms={change.ageMs} at={at} suffix="" />
          </time>
          <div>
            <p>
              <Link to="/changes" search={{ open: change.revision }}>
                {change.summary}
              </Link>
              {change.refused != null && (
                <>
                  {' '}
                  <span className="tag">refused</span>
                </>
              )}
            </p>
            <p className="small dim">
              {change.actor}
              {change.reason != null && `: ${change.reason}`}
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

export function Diff({ text }: { text: string }) {
  return (
    <pre className="diff" tabIndex={0} aria-label="Difference">
      {text
        .replace(/\n$/, '')
        .split('\n')
        .map((line, index) => (
          <span key={index} data-kind={/^(\+\+\+|---)/.test(line) ? '@' : line.charAt(0)}>
            {line === '' ? ' ' : line}
          </span>
        ))}
    </pre>
  );
}
