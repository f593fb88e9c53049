import { Button } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { Suspense, lazy } from 'react';
import { views } from '../api/paths';
import type { Clusters } from '../api/views';
import { age } from '../format';
import { useView } from '../live/live';
import { ClusterSummary } from '../parts/cluster-card';
import { late } from '../parts/late';
import { Empty, Gaps, Loading, ProblemNote } from '../parts/panel';
import { RangeChoice } from '../parts/range';
import { PageHead } from '../parts/shell';
import './pages.css';

const JoinDialog = lazy(late(() => import('./join')));
const route = getRouteApi('/clusters');

export function ClustersPage() {
  const { act, over } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, problem, at } = useView<Clusters>(views.clusters(over));
  const setAct = (next: 'join' | undefined) =>
    void navigate({ search: { act: next, over }, replace: true });
  return (
    <>
      <PageHead title="Clusters" name="Clusters" at={at}>
        <div className="row tools">
          <span className="dim">{data ? `rates of the last ${age(data.overMs)}` : ' '}</span>
          <RangeChoice
            value={over}
            onChoose={(chosen) => void navigate({ search: { act, over: chosen }, replace: true })}
          />
          <Button onClick={() => setAct('join')}>Join a cluster…</Button>
        </div>
      </PageHead>
      {problem && <ProblemNote problem={problem} hasRetry={!data} />}
      {data && <Gaps gaps={data.gaps} />}
      {!data && !problem && <Loading label="clusters" rows={8} />}
      {data?.items.length === 0 && (
        <Empty title="No cluster yet">
          <p>A cluster joins by one command on one of its machines: press “Join a cluster”.</p>
        </Empty>
      )}
      {data && (
        <ul className="cards">
          {data.items.map((card) => (
            <li key={card.name} className="card">
              <ClusterSummary card={card} at={at} />
            </li>
          ))}
        </ul>
      )}
      {act === 'join' && (
        <Suspense fallback={null}>
          <JoinDialog onClose={() => setAct(undefined)} />
        </Suspense>
      )}
    </>
  );
}
