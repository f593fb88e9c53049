import { Button } from '@mantine/core';
import { Link, getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { views } from '../api/paths';
import type { Attention, ClusterCard, MemberStatus, Overview } from '../api/views';
import { age, perSecond } from '../format';
import { useView } from '../live/live';
import { ChangeList } from '../parts/changes';
import { TrafficChart } from '../parts/chart';
import { ClusterSummary } from '../parts/cluster-card';
import { Command } from '../parts/command';
import { Age, AsOf, RateFigures, Since } from '../parts/figures';
import { Glyph, LevelMark, ProportionsBar } from '../parts/level';
import { ClusterLink, RefLink } from '../parts/links';
import { Empty, Gaps, Loading, Panel, ProblemNote } from '../parts/panel';
import { RangeChoice } from '../parts/range';
import { usePageTitle } from '../parts/shell';
import { WORDS } from '../health';
import './pages.css';

const route = getRouteApi('/');
const CLUSTERS_WHOLE = 8;
const ATTENTION_SHOWN = 6;

export function OverviewPage() {
  usePageTitle('Overview');
  const { over } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, problem, at } = useView<Overview>(views.overview(over));
  if (!data)
    return problem ? (
      <ProblemNote problem={problem} hasRetry />
    ) : (
      <Loading label="the overview" rows={12} />
    );
  return (
    <div className="overview">
      <Sentence overview={data} at={at} />
      {problem && <ProblemNote problem={problem} />}
      <Gaps gaps={data.gaps} />
      {data.clusters.length === 0 ? (
        <FirstCluster />
      ) : (
        <div className="overview-columns">
          <div className="column">
            <AttentionPanel items={data.attention} omitted={data.attentionOmitted} at={at} />
            <Panel
              title="Traffic"
              note={`last ${age(data.traffic.overMs)}, all clusters`}
              className="overview-traffic"
              actions={
                <RangeChoice
                  value={over}
                  onChoose={(chosen) => void navigate({ search: { over: chosen }, replace: true })}
                />
              }
            >
              <div className="stack" style={{ gap: 14 }}>
                <RateFigures
                  rates={data.traffic.now}
                  remoteShare={data.traffic.remoteShare ?? null}
                />
                <TrafficChart series={data.traffic.series} at={at} />
              </div>
            </Panel>
          </div>
          <div className="column">
            <Panel
              title="Clusters"
              className="overview-clusters"
              note={`${data.clusters.length} in the federation`}
              isFlush
              actions={
                <Link to="/clusters" className="small">
                  All clusters
                </Link>
              }
            >
              <ClusterList cards={data.clusters} at={at} />
            </Panel>
            <Panel
              title="Last changes"
              className="overview-changes"
              isFlush
              actions={
                <Link to="/changes" className="small">
                  All changes
                </Link>
              }
            >
              <ChangeList changes={data.changes} at={at} />
            </Panel>
          </div>
        </div>
      )}
      <Members members={data.members} revision={data.revision} />
    </div>
  );
}

function Sentence({ overview, at }: { overview: Overview; at: number }) {
  return (
    <section
      className="overview-say"
      data-level={overview.level}
      aria-label="State of the federation"
    >
      <Glyph level={overview.level} />
      <div>
        <h1>{overview.sentence}</h1>
        <p className="dim">
          {WORDS[overview.level]} <Since time={overview.since} />, <AsOf at={at} />
        </p>
      </div>
      <div className="overview-bar">
        <ProportionsBar of={overview.services} />
      </div>
    </section>
  );
}

function AttentionPanel({
  items,
  omitted,
  at,
}: {
  items: Attention[];
  omitted: number;
  at: number;
}) {
  const [isWhole, setWhole] = useState(false);
  const hidden = items.length - ATTENTION_SHOWN;
  return (
    <Panel
      title="Needs attention"
      isFlush
      className="overview-attention"
      note={
        items.length === 0 ? undefined : `${items.length + omitted}, most affected traffic first`
      }
    >
      {items.length === 0 ? (
        <Empty title="Nothing needs attention">
          <p>What fails, degrades or falls silent is listed here, with what changed before it.</p>
        </Empty>
      ) : (
        <ul>
          {(isWhole ? items : items.slice(0, ATTENTION_SHOWN)).map((item) => (
            <AttentionItem
              key={`${item.subject.kind}/${item.subject.namespace}/${item.subject.name}/${item.subject.cluster}/${item.title}`}
              item={item}
              at={at}
            />
          ))}
        </ul>
      )}
      {hidden > 0 && (
        <div className="members">
          <Button variant="default" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
            {isWhole ? 'Show fewer' : `Show ${hidden} more`}
          </Button>
        </div>
      )}
      {omitted > 0 && (
        <p className="members dim">
          and {omitted} more:{' '}
          <Link to="/services" search={{ sort: 'health' }}>
            services by health
          </Link>
        </p>
      )}
    </Panel>
  );
}

function AttentionItem({ item, at }: { item: Attention; at: number }) {
  return (
    <li className="attention">
      <Glyph level={item.level} />
      <div className="wrap">
        <span className="visually-hidden">{WORDS[item.level]}: </span>
        <RefLink of={item.subject} text={item.title} />: {item.detail}
      </div>
      <div className="dim small number">
        {item.services > 0 && (
          <span>
            {item.services} {item.services === 1 ? 'service' : 'services'} ·{' '}
          </span>
        )}
        {item.requestsPerSecond != null && <span>{perSecond(item.requestsPerSecond)} · </span>}
        {item.sinceMs != null && <Age ms={item.sinceMs} at={at} suffix="" />}
      </div>
      <div className="attention-more">
        {item.lastChange != null && (
          <p className="small dim">
            Last change:{' '}
            <Link to="/changes" search={{ open: item.lastChange.revision }}>
              {item.lastChange.summary}
            </Link>
            , <Age ms={item.lastChange.ageMs} at={at} /> by {item.lastChange.actor}
          </p>
        )}
        {item.command != null && <Command text={item.command} />}
      </div>
    </li>
  );
}

/** Many clusters are a line each. */
function ClusterList({ cards, at }: { cards: ClusterCard[]; at: number }) {
  if (cards.length > CLUSTERS_WHOLE) {
    return (
      <ul className="cards-list">
        {cards.map((card) => (
          <li key={card.name} className="card-line">
            <ClusterLink name={card.name} />
            <ProportionsBar of={card.services} hasCounts={false} />
            <LevelMark level={card.level} text={card.text} />
          </li>
        ))}
      </ul>
    );
  }
  return (
    <ul className="cards-list">
      {cards.map((card) => (
        <li key={card.name} className="card">
          <ClusterSummary card={card} at={at} />
        </li>
      ))}
    </ul>
  );
}

function Members({ members, revision }: { members: MemberStatus[]; revision: string }) {
  return (
    <section className="panel members" aria-label="Members of the bridge">
      <span className="strong">Bridge</span>
      {members.map((member) => (
        <span key={member.id} className="nowrap">
          {member.state === 'Connected' ? '✓' : member.state === 'Silent' ? '✕' : '?'} {member.id}{' '}
          <span className="dim">
            {member.role},{' '}
            {member.state === 'Connected'
              ? member.lag
                ? `${member.lag} entries behind`
                : 'up to date'
              : member.state.toLowerCase()}
          </span>
        </span>
      ))}
      <span className="dim">
        revision <code>{revision}</code>
      </span>
    </section>
  );
}

function FirstCluster() {
  return (
    <Panel title="No cluster yet">
      <div className="stack">
        <p>
          A cluster joins by one command on one of its machines. The page makes it, and shows when
          the agent is heard.
        </p>
        <div>
          <Button
            renderRoot={(props) => <Link to="/clusters" search={{ act: 'join' }} {...props} />}
          >
            Join a cluster
          </Button>
        </div>
      </div>
    </Panel>
  );
}
