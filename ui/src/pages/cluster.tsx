import { Button } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { Suspense, lazy, useState } from 'react';
import { views } from '../api/paths';
import type { ClusterPage, GatewayLine } from '../api/views';
import { age, count } from '../format';
import { useView } from '../live/live';
import { ChangeList } from '../parts/changes';
import { Copyable } from '../parts/command';
import { type Column, DataTable } from '../parts/data-table';
import { ContactText, RateFigures } from '../parts/figures';
import { late } from '../parts/late';
import { LevelMark, ProportionsBar } from '../parts/level';
import { LinkTable } from '../parts/link-table';
import { Empty, Gaps, Loading, Panel, ProblemNote } from '../parts/panel';
import { RangeChoice } from '../parts/range';
import { ServiceTable } from '../parts/service-table';
import { PageHead } from '../parts/shell';
import './pages.css';

const DrainDialog = lazy(late(() => import('./drain')));
const JoinDialog = lazy(late(() => import('./join')));
const route = getRouteApi('/clusters/$name');

export function ClusterPageView() {
  const { name } = route.useParams();
  const { over } = route.useSearch();
  const navigate = route.useNavigate();
  const [act, setAct] = useState<'drain' | 'join'>();
  const { data, problem, at } = useView<ClusterPage>(views.cluster(name, over));
  const page = data?.card.name === name ? data : undefined;
  return (
    <>
      <PageHead
        name={`Cluster ${name}`}
        at={at}
        title={
          <>
            <span>{name}</span>
            {page?.card.region != null && <span className="tag">{page.card.region}</span>}
            {page?.card.drained && <span className="tag">drained</span>}
            {page && <LevelMark level={page.card.level} text={page.card.text} />}
          </>
        }
      >
        {page && (
          <div className="row">
            <Button variant="default" onClick={() => setAct('join')}>
              Join token…
            </Button>
            <Button onClick={() => setAct('drain')}>
              {page.card.drained ? 'Bring traffic back…' : 'Drain…'}
            </Button>
          </div>
        )}
      </PageHead>
      {problem && <ProblemNote problem={problem} hasRetry={!page} />}
      {!page && !problem && <Loading label={`cluster ${name}`} rows={14} />}
      {page && (
        <>
          <Gaps gaps={page.gaps} />
          <div className="two">
            <div className="column">
              <Panel
                title="Traffic"
                note={`last ${age(page.overMs)}, into this cluster`}
                actions={
                  <RangeChoice
                    value={over}
                    onChoose={(chosen) =>
                      void navigate({ search: { over: chosen }, replace: true })
                    }
                  />
                }
              >
                <RateFigures rates={page.card.rates} />
              </Panel>
              <Panel title="Gateways and DNS proxies" isFlush>
                <Parts lines={[...page.card.gateways, ...page.card.dns]} at={at} />
              </Panel>
            </div>
            <div className="column">
              <Panel title="Identity">
                <dl className="facts">
                  <dt>Agent</dt>
                  <dd>
                    <ContactText contact={page.card.agent} at={at} />
                  </dd>
                  <dt>Trust domain</dt>
                  <dd>
                    <Copyable text={page.trustDomain} what="the trust domain" />
                  </dd>
                  {page.anchorFingerprint != null && (
                    <>
                      <dt>Anchor, SHA-256</dt>
                      <dd>
                        <Copyable text={page.anchorFingerprint} what="the fingerprint" />
                      </dd>
                    </>
                  )}
                  <dt>Exports</dt>
                  <dd>{count(page.exports)} services</dd>
                  <dt>Health</dt>
                  <dd>
                    <ProportionsBar of={page.card.services} />
                  </dd>
                </dl>
              </Panel>
              <Panel title="Changes" isFlush note="that touch this cluster">
                <ChangeList changes={page.changes} at={at} />
              </Panel>
            </div>
            <div className="column">
              <Panel title="Links to other clusters" isFlush>
                <LinkTable links={page.links} at={at} />
              </Panel>
            </div>
          </div>
          <Panel
            title="Services"
            note={`${page.servicesOmitted > 0 ? `${page.servicesOmitted} more left out, ` : ''}rates of the last ${age(page.overMs)}`}
            isFlush
          >
            {page.services.length === 0 ? (
              <Empty title="No service here">
                <p>
                  The agent reports the services of its registry; check the agent's settings if
                  there should be some.
                </p>
              </Empty>
            ) : (
              <ServiceTable rows={page.services} at={at} />
            )}
          </Panel>
          {act === 'drain' && (
            <Suspense fallback={null}>
              <DrainDialog card={page.card} onClose={() => setAct(undefined)} />
            </Suspense>
          )}
          {act === 'join' && (
            <Suspense fallback={null}>
              <JoinDialog only={name} onClose={() => setAct(undefined)} />
            </Suspense>
          )}
        </>
      )}
    </>
  );
}

function partColumns(at: number): Column<GatewayLine>[] {
  return [
    {
      name: 'Part',
      className: 'wrap',
      cell: ({ id, role }) => (
        <>
          <span className="strong">{id}</span>{' '}
          <span className="dim">{role === 'dns' ? 'DNS proxy' : 'gateway'}</span>
        </>
      ),
    },
    { name: 'State', cell: ({ level, text }) => <LevelMark level={level} text={text} /> },
    { name: 'Contact', cell: ({ contact }) => <ContactText contact={contact} at={at} /> },
    {
      name: 'Revision served',
      cell: ({ acked, behind, refused }) => (
        <>
          {acked == null ? <span className="dim">none</span> : <code>{acked}</code>}
          {behind && <span className="tag">behind</span>}
          {refused != null && (
            <p className="small" style={{ color: 'var(--failing)' }}>
              refused: {refused}
            </p>
          )}
        </>
      ),
    },
    {
      name: 'Address',
      className: 'mono nowrap',
      cell: ({ address }) => address ?? <span className="dim">—</span>,
    },
  ];
}

function Parts({ lines, at }: { lines: GatewayLine[]; at: number }) {
  if (lines.length === 0)
    return (
      <Empty title="No gateway and no DNS proxy">
        <p>
          They start with the node: <code>rialto node --config node.yaml</code> on a machine of this
          cluster.
        </p>
      </Empty>
    );
  return (
    <DataTable
      label="Gateways and DNS proxies"
      columns={partColumns(at)}
      rows={lines}
      keyOf={({ role, id }) => `${role}/${id}`}
    />
  );
}
