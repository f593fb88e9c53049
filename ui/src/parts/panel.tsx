import { Button, Skeleton } from '@mantine/core';
import { type ReactNode, useId } from 'react';
import type { Gap, Level, Problem } from '../api/views';
import { useStream } from '../live/live';
import { Glyph } from './level';

export function Panel({
  title,
  note,
  actions,
  children,
  isFlush = false,
  className = '',
}: {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  isFlush?: boolean;
  className?: string;
}) {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id}>
      <div className="panel-head">
        <div className="panel-title">
          <h2 id={id}>{title}</h2>
          {note !== undefined && <span className="panel-note">{note}</span>}
        </div>
        {actions}
      </div>
      <div className={isFlush ? 'panel-flush' : 'panel-body'}>{children}</div>
    </section>
  );
}

/** Scrolls sideways by itself, and by keyboard, where it is wider than the screen. */
export function TableBox({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="table" role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

export function Note({
  level,
  title,
  children,
}: {
  level: Level;
  title: string;
  children?: ReactNode;
}) {
  return (
    <div className="note" data-level={level}>
      <Glyph level={level} />
      <p className="strong">{title}</p>
      <div className="stack">{children}</div>
    </div>
  );
}

/** An error where it arises: what, on which object, what to do next. */
export function ProblemNote({
  problem,
  hasRetry = false,
}: {
  problem: Problem;
  hasRetry?: boolean;
}) {
  return (
    <div role="alert">
      <Note level="failing" title={problem.title}>
        <p>{problem.detail}</p>
        {problem.field != null && (
          <p className="small">
            Field <code>{problem.field}</code>
            {problem.expected != null && <>: expected {problem.expected}</>}
            {problem.found != null && <>, found {problem.found}</>}
          </p>
        )}
        {problem.hint != null && <p>{problem.hint}</p>}
        <p className="small dim">
          {problem.status > 0 ? problem.code : 'No connection'}
          {problem.requestId != null && ` · request ${problem.requestId}`}
        </p>
        {hasRetry && <RetryButton />}
      </Note>
    </div>
  );
}

function RetryButton() {
  const stream = useStream();
  return (
    <div>
      <Button variant="default" onClick={() => stream.retry()}>
        Try now
      </Button>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="empty">
      <h3>{title}</h3>
      {children}
    </div>
  );
}

/** Who did not answer: figures lack theirs, and the page says so. */
export function Gaps({ gaps }: { gaps: Gap[] }) {
  if (gaps.length === 0) return null;
  return (
    <Note
      level="unknown"
      title={gaps.length === 1 ? 'One part did not answer' : `${gaps.length} parts did not answer`}
    >
      <ul>
        {gaps.map((gap) => (
          <li key={gap.text}>{gap.text}</li>
        ))}
      </ul>
    </Note>
  );
}

/** Keeps the place of what loads, so that nothing jumps. */
export function Loading({ rows = 6, label }: { rows?: number; label: string }) {
  return (
    <div className="panel panel-body stack" role="status" aria-label={`Loading ${label}`}>
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} height={20} animate={false} />
      ))}
    </div>
  );
}
