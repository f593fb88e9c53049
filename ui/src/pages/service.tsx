import { Button } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { Suspense, lazy } from 'react';
import { views } from '../api/paths';
import type { ServicePage } from '../api/views';
import { age, callerName, count, perSecond } from '../format';
import { useView } from '../live/live';
import { ChangeList } from '../parts/changes';
import { LatencyChart, TrafficChart } from '../parts/chart';
import { Copyable } from '../parts/command';
import { type Column, DataTable, rateColumns } from '../parts/data-table';
import { Absent, Age, RateFigures, RateText, ShareBar } from '../parts/figures';
import { late } from '../parts/late';
import { Glyph, LevelMark } from '../parts/level';
import { ClusterLink, RefLink, ServiceLink } from '../parts/links';
import { Empty, Gaps, Loading, Note, Panel, ProblemNote } from '../parts/panel';
import { RangeChoice } from '../parts/range';
import { PageHead } from '../parts/shell';
import { Explain } from './explain';
import './pages.css';

const ShiftDialog = lazy(late(() => import('./shift')));
const route = getRouteApi('/services/$namespace/$name');

export function ServicePageView() {
  const { namespace, name } = route.useParams();
  const { act, over } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, problem, at, isPrevious } = useView<ServicePage>(
    views.service(namespace, name, over),
  );
  const title = `${namespace}/${name}`;
  const page =
    isPrevious && data && (data.row.name !== name || data.row.namespace !== namespace)
      ? undefined
      : data;
  const setAct = (next: 'shift' | undefined) =>
    void navigate({ search: { act: next, over }, replace: true });

  return (
    <>
      <PageHead
        name={title}
        at={at}
        title={
          <>
            <span>
              <span className="dim">{namespace}/</span>
              {name}
            </span>
            {page?.row.workspace != null && <span className="tag">{page.row.workspace}</span>}
            {page && <LevelMark level={page.row.level} text={page.row.text} />}
          </>
        }
      >
        {page?.shift && <Button onClick={() => setAct('shift')}>Shift traffic…</Button>}
      </PageHead>
      {problem && <ProblemNote problem={problem} hasRetry={!page} />}
      {!page && !problem && <Loading label={title} rows={16} />}
      {page && (
        <>
          <Gaps gaps={page.gaps} />
          {page.conflicts.map((conflict) => (
            <Note key={conflict} level="degraded" title={conflict} />
          ))}
          {page.notCarried?.map((port) => (
            <Note key={port} level="idle" title={port} />
          ))}
          <div className="two">
            <div className="column">
              <Panel
                title="Traffic"
                note={`last ${age(page.traffic.overMs)}, from all clusters`}
                actions={
                  <RangeChoice
                    value={over}
                    onChoose={(chosen) =>
                      void navigate({ search: { act, over: chosen }, replace: true })
                    }
                  />
                }
              >
                <div className="stack" style={{ gap: 14 }}>
                  <RateFigures
                    rates={page.traffic.now}
                    remoteShare={page.row.remoteShare ?? null}
                  />
                  <TrafficChart series={page.traffic.series} at={at} />
                  <LatencyChart series={page.traffic.series} at={at} />
                </div>
              </Panel>
              <Callers page={page} />
              <Refusals page={page} />
            </div>
            <div className="column">
              <Facts page={page} />
              <Endpoints page={page} at={at} />
              <Routes page={page} />
              <Failover page={page} />
            </div>
            <div className="column">
              <Access page={page} />
              <Explain page={page} />
              <Panel title="Changes" isFlush note="that touch this service">
                <ChangeList changes={page.changes} at={at} />
              </Panel>
            </div>
          </div>
          {act === 'shift' && page.shift && (
            <Suspense fallback={null}>
              <ShiftDialog page={page} onClose={() => setAct(undefined)} />
            </Suspense>
          )}
        </>
      )}
    </>
  );
}

function Facts({ page }: { page: ServicePage }) {
  return (
    <Panel title="Name and address">
      <dl className="facts">
        <dt>Name</dt>
        <dd>
          <Copyable text={page.dnsName} what="the DNS name" />
        </dd>
        <dt>Ports</dt>
        <dd>{page.row.ports}</dd>
        {page.virtualIps.map(({ cluster, addresses }) => (
          <VirtualIp key={cluster} cluster={cluster} addresses={addresses} />
        ))}
      </dl>
    </Panel>
  );
}

function VirtualIp({ cluster, addresses }: { cluster: string; addresses: string[] }) {
  return (
    <>
      <dt>Virtual IP in {cluster}</dt>
      <dd className="row">
        {addresses.length === 0 ? (
          <span className="dim">none</span>
        ) : (
          addresses.map((address) => (
            <Copyable key={address} text={address} what={`the address in ${cluster}`} />
          ))
        )}
      </dd>
    </>
  );
}

type EndpointsLine = ServicePage['endpoints'][number];

function endpointColumns(at: number): Column<EndpointsLine>[] {
  return [
    { name: 'Cluster', cell: ({ cluster }) => <ClusterLink name={cluster} /> },
    { name: 'Port', isNumber: true, cell: ({ port }) => port },
    {
      name: 'Healthy endpoints',
      cell: ({ level, healthy, total }) => (
        <LevelMark
          level={level}
          text={healthy == null || total == null ? 'not known' : `${healthy} of ${total}`}
        />
      ),
    },
    {
      name: 'Exported',
      cell: ({ exported, exportedBy }) =>
        exported ? (
          <>yes{exportedBy != null && <span className="dim">, by {exportedBy}</span>}</>
        ) : (
          <span className="dim">no</span>
        ),
    },
    {
      name: 'Said',
      isNumber: true,
      cell: ({ ageMs }) =>
        ageMs == null ? <Absent why="not known since when" /> : <Age ms={ageMs} at={at} />,
    },
  ];
}

function Endpoints({ page, at }: { page: ServicePage; at: number }) {
  return (
    <Panel title="Where it lives" isFlush>
      {page.endpoints.length === 0 ? (
        <Empty title="No cluster has it">
          <p>No agent reports endpoints for it now.</p>
        </Empty>
      ) : (
        <DataTable
          label="Where it lives"
          columns={endpointColumns(at)}
          rows={page.endpoints}
          keyOf={({ cluster, port }) => `${cluster}/${port}`}
        />
      )}
    </Panel>
  );
}

function Routes({ page }: { page: ServicePage }) {
  return (
    <Panel
      title="Routes"
      note={`rules in the order in which they are tried; rates of the last ${age(page.traffic.overMs)}`}
    >
      <ol className="stack" style={{ gap: 14 }}>
        {page.routes.map((rule, index) => (
          <li key={index} className="stack" style={{ gap: 6 }}>
            <h3>{rule.source ?? 'No route: its own endpoints'}</h3>
            <p className="matches dim">
              {rule.matches.length === 0 ? 'every request' : rule.matches.join(' or ')}
              {rule.port != null && ` on port ${rule.port}`}
            </p>
            <ul className="backends">
              {rule.backends.map((backend) => (
                <Backend key={backend.service} backend={backend} />
              ))}
            </ul>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Backend({ backend }: { backend: ServicePage['routes'][number]['backends'][number] }) {
  const [namespace = '', name = ''] = backend.service.split('/');
  return (
    <li>
      <span className="row">
        <Glyph level={backend.level} />
        <ServiceLink namespace={namespace} name={name} />
      </span>
      <ShareBar value={backend.share} label={backend.service} />
      <span className="number dim small" style={{ minWidth: '9ch' }}>
        <RateText rates={backend.rates} />
      </span>
    </li>
  );
}

function Failover({ page }: { page: ServicePage }) {
  return (
    <Panel
      title="Failover"
      note={
        page.failover.policy ? (
          <>
            by <RefLink of={page.failover.policy} />, shares of calls that begin now
          </>
        ) : (
          'no policy: the order of the bridge, shares of calls that begin now'
        )
      }
    >
      <div className="ladder">
        {page.failover.perCluster.length === 0 && <p className="dim">No cluster calls it yet.</p>}
        {page.failover.perCluster.map(({ from, order }) => (
          <div key={from}>
            <h3>
              Callers in <ClusterLink name={from} />
            </h3>
            <ol>
              {order.map((one, index) => (
                <li key={one.cluster}>
                  <Glyph level={one.level} />
                  <span className="wrap">
                    <span className="dim">{index + 1}. </span>
                    {one.cluster}
                  </span>
                  <ShareBar value={one.share} label={`${from} to ${one.cluster}`} />
                  <span className="dim small wrap">{one.why}</span>
                </li>
              ))}
            </ol>
          </div>
        ))}
      </div>
    </Panel>
  );
}

const CALLERS: Column<ServicePage['callers'][number]>[] = [
  {
    name: 'Caller',
    className: 'wrap',
    cell: ({ identity, text }) => (
      <span title={identity == null ? text : `${identity}: ${text}`}>{callerName(identity)}</span>
    ),
  },
  { name: 'From', cell: ({ cluster }) => cluster },
  {
    name: 'Served by',
    cell: ({ cluster, destination }) => (
      <>
        {destination ?? <Absent why="nobody served it" />}
        {destination != null && destination !== cluster && <span className="dim"> ⇄</span>}
      </>
    ),
  },
  ...rateColumns<ServicePage['callers'][number]>(),
];

function Callers({ page }: { page: ServicePage }) {
  return (
    <Panel title="Who calls it" note={`last ${age(page.traffic.overMs)}`} isFlush>
      {page.callers.length === 0 ? (
        <Empty title={`No call in the last ${age(page.traffic.overMs)}`}>
          <p>
            Callers appear here with their identity once they call by the name or the virtual IP.
          </p>
        </Empty>
      ) : (
        <DataTable
          label="Who calls it"
          columns={CALLERS}
          rows={page.callers}
          keyOf={({ identity, cluster, destination }) => `${identity}/${cluster}/${destination}`}
        />
      )}
    </Panel>
  );
}

const REFUSALS: Column<ServicePage['refusals'][number]>[] = [
  {
    name: 'Caller',
    className: 'wrap',
    cell: ({ identity, text }) => <span title={identity ?? undefined}>{text}</span>,
  },
  {
    name: 'Reason',
    className: 'wrap',
    cell: ({ reason, code }) => (
      <>
        {reason} <span className="dim">{code}</span>
      </>
    ),
  },
  { name: 'Refused', isNumber: true, cell: (refusal) => perSecond(refusal.perSecond) },
  { name: 'In that time', isNumber: true, cell: (refusal) => `${count(refusal.count)} calls` },
];

function Refusals({ page }: { page: ServicePage }) {
  return (
    <Panel title="Who is refused" note={`last ${age(page.traffic.overMs)}`} isFlush>
      {page.refusals.length === 0 ? (
        <Empty title="Nobody was refused">
          <p>Calls that a policy forbids, or that are not to be served, are counted here.</p>
        </Empty>
      ) : (
        <DataTable
          label="Who is refused"
          columns={REFUSALS}
          rows={page.refusals}
          keyOf={({ identity, cluster, code }) => `${identity}/${cluster}/${code}`}
        />
      )}
    </Panel>
  );
}

function Access({ page }: { page: ServicePage }) {
  const { access } = page;
  return (
    <Panel title="Who may call it" note={access.open ? 'open' : 'restricted'}>
      <div className="stack" style={{ gap: 10 }}>
        <p>{access.text}</p>
        {access.policies.map((policy) => (
          <div key={policy.ref.name} className="stack" style={{ gap: 4 }}>
            <h3>
              <span className="tag">{policy.action}</span> <RefLink of={policy.ref} />
            </h3>
            <ul className="stack" style={{ gap: 2 }}>
              {policy.rules.map((rule) => (
                <li key={rule} className="wrap">
                  {rule}
                </li>
              ))}
            </ul>
          </div>
        ))}
      </div>
    </Panel>
  );
}
