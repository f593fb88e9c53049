// Numbers with their unit, and what is said where there is none.

import type { ReactNode } from 'react';
import type { Contact, Maybe, Rates } from '../api/views';
import { age, bytesPerSecond, clock, milliseconds, perSecond, share, timeOfDay } from '../format';
import { useNow } from '../live/live';

export function Absent({ why = 'not known' }: { why?: string }) {
  return (
    <span className="dim" title={why}>
      <span aria-hidden="true">—</span>
      <span className="visually-hidden">{why}</span>
    </span>
  );
}

/** An age that grows while one looks; `at` is when the answer came that said `ms`. */
export function Age({
  ms,
  at,
  suffix = ' ago',
}: {
  ms: Maybe<number>;
  at: number;
  suffix?: string;
}) {
  const now = useNow();
  if (ms == null) return <span className="dim">never heard</span>;
  return (
    <span className="nowrap">
      {age(ms + Math.max(0, now - at))}
      {suffix}
    </span>
  );
}

export function Since({ time }: { time: Maybe<string> }) {
  const now = useNow();
  if (!time) return null;
  return (
    <time dateTime={time} title={clock(time)} className="nowrap">
      for {age(Math.max(0, now - Date.parse(time)))}
    </time>
  );
}

/** When the answer came that a page shows; keeps its place until there is one. */
export function AsOf({ at }: { at: number }) {
  if (at === 0)
    return (
      <span className="as-of" style={{ visibility: 'hidden' }} aria-hidden="true">
        as of {timeOfDay(0)}
      </span>
    );
  return (
    <time
      className="as-of"
      dateTime={new Date(at).toISOString()}
      title={clock(new Date(at).toISOString())}
    >
      as of {timeOfDay(at)}
    </time>
  );
}

export function ContactText({ contact, at }: { contact: Contact; at: number }) {
  if (contact.ageMs == null)
    return <span className="dim">{contact.state === 'Unknown' ? 'not known' : 'never heard'}</span>;
  return (
    <span className="dim">
      heard <Age ms={contact.ageMs} at={at} />
    </span>
  );
}

export function Figure({
  name,
  children,
  isBad = false,
}: {
  name: string;
  children: ReactNode;
  isBad?: boolean;
}) {
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd data-bad={isBad}>{children}</dd>
    </div>
  );
}

export function RateFigures({
  rates,
  remoteShare,
}: {
  rates: Maybe<Rates>;
  remoteShare?: Maybe<number>;
}) {
  const latency = (value: Maybe<number>) =>
    value == null ? <Absent why="no requests to measure" /> : milliseconds(value);
  return (
    <dl className="figures">
      <Figure name="Requests">
        {rates ? perSecond(rates.requestsPerSecond) : <Absent why="no gateway reported" />}
      </Figure>
      <Figure name="Errors" isBad={(rates?.errorsPerSecond ?? 0) > 0}>
        {rates && rates.requests > 0 ? (
          share(rates.errorShare)
        ) : (
          <Absent why={rates ? 'no requests to measure' : 'no gateway reported'} />
        )}
      </Figure>
      <Figure name="Latency p50">{latency(rates?.p50Ms)}</Figure>
      <Figure name="Latency p95">{latency(rates?.p95Ms)}</Figure>
      <Figure name="Latency p99">{latency(rates?.p99Ms)}</Figure>
      <Figure name="Throughput">
        {rates ? bytesPerSecond(rates.bytesPerSecond) : <Absent why="no gateway reported" />}
      </Figure>
      {remoteShare !== undefined && (
        <Figure name="Leaves cluster">
          {remoteShare == null ? <Absent why="no traffic to measure" /> : share(remoteShare)}
        </Figure>
      )}
    </dl>
  );
}

export function ErrorShare({ rates }: { rates: Maybe<Rates> }) {
  if (!rates) return <Absent why="no gateway reported" />;
  if (rates.requests === 0) return <Absent why="no requests to measure" />;
  if (rates.errorShare === 0) return <span className="dim">0 %</span>;
  return (
    <span className="strong" style={{ color: 'var(--failing)' }}>
      {share(rates.errorShare)}
    </span>
  );
}

export function ShareBar({ value, label }: { value: number; label: string }) {
  return (
    <div className="share">
      <div className="share-track" role="img" aria-label={`${label}: ${share(value)}`}>
        <span style={{ width: `${Math.min(100, value * 100)}%` }} />
      </div>
      <span className="number">{share(value)}</span>
    </div>
  );
}

export function RateText({ rates }: { rates: Maybe<Rates> }) {
  return rates ? perSecond(rates.requestsPerSecond) : <Absent why="no gateway reported" />;
}

export function LatencyText({ rates }: { rates: Maybe<Rates> }) {
  return rates?.p95Ms == null ? <Absent why="no requests to measure" /> : milliseconds(rates.p95Ms);
}
