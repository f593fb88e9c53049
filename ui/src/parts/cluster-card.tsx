import type { ClusterCard, GatewayLine } from '../api/views';
import { perSecond, share } from '../format';
import { GLYPHS } from '../health';
import { ContactText } from './figures';
import { LevelMark, ProportionsBar } from './level';
import { ClusterLink } from './links';

function partsText(name: string, lines: GatewayLine[]) {
  const levels = lines.map((line) => GLYPHS[line.level]).join(' ');
  const text = lines.map((line) => `${line.id} ${line.level}`).join(', ');
  return lines.length === 0 ? null : (
    <span key={name} title={text}>
      {name} <span aria-hidden="true">{levels}</span>
      <span className="visually-hidden">{text}</span>
    </span>
  );
}

/** A cluster in a few lines: level, reason, parts, services, traffic. */
export function ClusterSummary({ card, at }: { card: ClusterCard; at: number }) {
  return (
    <>
      <div className="spread">
        <span className="row">
          <ClusterLink name={card.name} />
          {card.region != null && <span className="tag">{card.region}</span>}
          {card.drained && <span className="tag">drained</span>}
        </span>
        <LevelMark level={card.level} text={card.text} />
      </div>
      <ProportionsBar of={card.services} />
      <div className="card-parts">
        <span>
          agent <ContactText contact={card.agent} at={at} />
        </span>
        {partsText('gateways', card.gateways)}
        {partsText('DNS', card.dns)}
        {card.rates ? (
          <span>
            {perSecond(card.rates.requestsPerSecond)}
            {card.rates.requests > 0 && `, ${share(card.rates.errorShare)} errors`}
          </span>
        ) : (
          <span>no traffic reported</span>
        )}
      </div>
    </>
  );
}
