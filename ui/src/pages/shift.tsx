import { Slider } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { shift } from '../api/actions';
import type { ServicePage, Shifted } from '../api/views';
import { difference, lines } from '../documents';
import { ActionDialog } from '../parts/action';
import { Diff } from '../parts/changes';

const TYPING_MS = 150;
const WHOLE = 100;

/** Two backends share one whole: what one gets, the other loses. More have a weight each. */
export function withWeight(
  weights: Record<string, number>,
  name: string,
  weight: number,
): Record<string, number> {
  const names = Object.keys(weights);
  if (names.length !== 2) return { ...weights, [name]: weight };
  return Object.fromEntries(names.map((one) => [one, one === name ? weight : WHOLE - weight]));
}

export default function ShiftDialog({ page, onClose }: { page: ServicePage; onClose: () => void }) {
  const { namespace, name } = page.row;
  const backends = page.shift?.backends ?? [];
  const [weights, setWeights] = useState(() =>
    Object.fromEntries(
      backends.map((backend) => [backend.name, Math.round(backend.share * WHOLE)]),
    ),
  );
  const [wish] = useDebouncedValue(weights, TYPING_MS);
  return (
    <ActionDialog<Shifted>
      title={`Shift traffic of ${namespace}/${name}`}
      verb="Shift traffic"
      onClose={onClose}
      wish={[namespace, name, JSON.stringify(wish)]}
      preview={(reason) => shift(namespace, name, wish, true, reason)}
      apply={(reason) => shift(namespace, name, weights, false, reason)}
      isNothing={(preview) =>
        preview.outcome === 'unchanged' || JSON.stringify(wish) !== JSON.stringify(weights)
      }
      describe={(preview) => <Changed preview={preview} />}
    >
      <div className="weights">
        {backends.map((backend, index) => (
          <div key={backend.name} className="weight">
            <span className="strong wrap" id={`weight-${backend.name}`}>
              {backend.name}
            </span>
            <Slider
              value={weights[backend.name] ?? 0}
              onChange={(weight) =>
                setWeights((before) => withWeight(before, backend.name, weight))
              }
              min={0}
              max={WHOLE}
              step={1}
              label={null}
              thumbProps={{
                ...(index === 0 ? { 'data-autofocus': true } : {}),
                'aria-labelledby': `weight-${backend.name}`,
                'aria-valuetext': `weight ${weights[backend.name] ?? 0}`,
              }}
            />
            <output className="number strong">
              {weights[backend.name] ?? 0}
              {backends.length === 2 ? ' %' : ''}
            </output>
          </div>
        ))}
      </div>
    </ActionDialog>
  );
}

function Changed({ preview }: { preview: Shifted | undefined }) {
  if (!preview) return <p className="dim">Asking the bridge.</p>;
  if (preview.outcome === 'unchanged')
    return <p>Nothing: the traffic is divided like this already. Move a slider.</p>;
  const text = difference(
    preview.before ? lines(preview.before) : [],
    preview.after ? lines(preview.after) : [],
  );
  return (
    <>
      <p>
        New requests follow the new weights as soon as a gateway serves the revision; open
        connections are not cut.
      </p>
      <Diff text={text} />
    </>
  );
}
