import { Button } from '@mantine/core';
import { Link, getRouteApi } from '@tanstack/react-router';
import { Suspense, lazy, useState } from 'react';
import { views } from '../api/paths';
import type { ChangeLine, Changes } from '../api/views';
import { clock } from '../format';
import { useView } from '../live/live';
import { Diff } from '../parts/changes';
import { Command } from '../parts/command';
import { Age } from '../parts/figures';
import { RefLink } from '../parts/links';
import { late } from '../parts/late';
import { Empty, Loading, Panel, ProblemNote } from '../parts/panel';
import { PageHead } from '../parts/shell';
import './pages.css';

const RevertDialog = lazy(late(() => import('./revert')));
const route = getRouteApi('/changes');
const PAGE = 50;

export function ChangesPage() {
  const { before, subject, open } = route.useSearch();
  const navigate = route.useNavigate();
  const [reverting, setReverting] = useState<string>();
  const { data, problem, at } = useView<Changes>(views.changes({ before, subject, limit: PAGE }));
  const oldest = data?.items.at(-1)?.revision;
  const setOpen = (revision: string | undefined) =>
    void navigate({ search: (was) => ({ ...was, open: revision }), replace: true });
  return (
    <>
      <PageHead title="Changes" name="Changes" at={at}>
        {subject !== undefined && (
          <span className="row">
            Only <code>{subject}</code>
            <Button
              renderRoot={(props) => <Link to="/changes" search={{}} {...props} />}
              variant="default"
            >
              Show all
            </Button>
          </span>
        )}
      </PageHead>
      {problem && <ProblemNote problem={problem} hasRetry={!data} />}
      {!data && !problem && <Loading label="changes" rows={14} />}
      {data && (
        <Panel title="History" note="newest first: who, why, what" isFlush>
          {data.items.length === 0 ? (
            <Empty title="No change">
              <p>
                {subject === undefined
                  ? 'What is applied, shifted, drained or reverted is kept here.'
                  : 'Nothing of what is kept touched this object.'}
              </p>
            </Empty>
          ) : (
            <ul>
              {data.items.map((change) => (
                <ChangeRow
                  key={change.revision}
                  change={change}
                  at={at}
                  isOpen={open === change.revision}
                  onOpen={setOpen}
                  onRevert={() => setReverting(change.undo?.to)}
                />
              ))}
            </ul>
          )}
          {(before !== undefined || data.more) && (
            <div className="members">
              {before !== undefined && (
                <Button
                  variant="default"
                  renderRoot={(props) => <Link to="/changes" search={{ subject }} {...props} />}
                >
                  Newest
                </Button>
              )}
              {data.more && oldest !== undefined && (
                <Button
                  variant="default"
                  renderRoot={(props) => (
                    <Link to="/changes" search={{ subject, before: oldest }} {...props} />
                  )}
                >
                  Older
                </Button>
              )}
            </div>
          )}
        </Panel>
      )}
      {reverting && (
        <Suspense fallback={null}>
          <RevertDialog to={reverting} onClose={() => setReverting(undefined)} />
        </Suspense>
      )}
    </>
  );
}

function ChangeRow({
  change,
  at,
  isOpen,
  onOpen,
  onRevert,
}: {
  change: ChangeLine;
  at: number;
  isOpen: boolean;
  onOpen: (revision: string | undefined) => void;
  onRevert: () => void;
}) {
  return (
    <li className="change-row">
      <details
        open={isOpen}
        onToggle={(event) => {
          if (event.currentTarget.open !== isOpen)
            onOpen(event.currentTarget.open ? change.revision : undefined);
        }}
      >
        <summary>
          <time dateTime={change.time} title={clock(change.time)} className="dim">
            <Age ms={change.ageMs} at={at} />
          </time>
          <span className="change-what wrap">
            {change.summary} {change.refused != null && <span className="tag">refused</span>}
            <span className="dim">
              {' '}
              by {change.actor}
              {change.reason != null && `: ${change.reason}`}
            </span>
          </span>
          <span className="change-live dim small nowrap">
            <code>{change.revision}</code>
          </span>
        </summary>
        <div className="change-body">
          <p className="row">
            <span className="dim">{clock(change.time)}</span>
            {change.subjects.map((subject) => (
              <RefLink key={`${subject.kind}/${subject.namespace}/${subject.name}`} of={subject} />
            ))}
          </p>
          {change.refused != null && (
            <p style={{ color: 'var(--failing)' }}>Refused, nothing changed: {change.refused}</p>
          )}
          {change.diff ? <Diff text={change.diff} /> : <p className="dim">No object differs.</p>}
          {change.undo != null && (
            <>
              <Command text={change.undo.command} />
              <div>
                <Button variant="default" onClick={onRevert}>
                  Go back to before this…
                </Button>
              </div>
            </>
          )}
        </div>
      </details>
    </li>
  );
}
