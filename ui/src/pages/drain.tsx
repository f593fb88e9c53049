import { drain } from '../api/actions';
import type { ClusterCard, DrainResult } from '../api/views';
import { ActionDialog } from '../parts/action';

function Names({ title, names }: { title: string; names: string[] }) {
  return (
    <div className="stack">
      <p className="strong">{title}</p>
      {names.length > 0 && (
        <ul className="names" tabIndex={0} aria-label={title}>
          {names.map((name) => (
            <li key={name}>
              <code>{name}</code>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Moved({ result, isBack }: { result: DrainResult | undefined; isBack: boolean }) {
  if (!result) return <p className="dim">Asking the bridge.</p>;
  const { moved, kept } = result;
  return (
    <div className="stack" style={{ gap: 12 }}>
      <Names
        title={
          moved.length === 0
            ? `No service's traffic ${isBack ? 'comes back' : 'moves'}`
            : `Traffic of ${moved.length} ${moved.length === 1 ? 'service' : 'services'} ${isBack ? 'comes back to' : 'moves away from'} ${result.cluster}`
        }
        names={moved}
      />
      {kept.length > 0 && (
        <Names
          title={`${kept.length} ${kept.length === 1 ? 'service lives' : 'services live'} only there and ${kept.length === 1 ? 'stays' : 'stay'} served from there`}
          names={kept}
        />
      )}
    </div>
  );
}

export default function DrainDialog({ card, onClose }: { card: ClusterCard; onClose: () => void }) {
  const verb = card.drained ? 'undrain' : 'drain';
  return (
    <ActionDialog<DrainResult>
      title={card.drained ? `Bring traffic back to ${card.name}` : `Drain ${card.name}`}
      verb={card.drained ? 'Bring back' : 'Drain'}
      onClose={onClose}
      wish={[card.name, verb]}
      preview={(reason) => drain(card.name, verb, true, reason)}
      apply={(reason) => drain(card.name, verb, false, reason)}
      describe={(result) => <Moved result={result} isBack={card.drained} />}
    />
  );
}
