import { Button, NativeSelect, Slider } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { shift } from '../api/actions';
import { views } from '../api/paths';
import type { ServicePage, Services, Shifted } from '../api/views';
import { difference, specOf } from '../documents';
import { useView } from '../live/live';
import { ActionDialog } from '../parts/action';
import { Diff } from '../parts/changes';

const TYPING_MS = 150;
const WHOLE = 100;
/** The most that one page of the API holds. */
const CHOICES = 500;

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
  const names = Object.keys(weights);
  const sum = Object.values(weights).reduce((all, weight) => all + weight, 0);
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
        {names.map((backend, index) => (
          <div key={backend} className="weight">
            <span className="strong wrap" id={`weight-${backend}`}>
              {backend}
            </span>
            <Slider
              value={weights[backend] ?? 0}
              onChange={(weight) => setWeights((before) => withWeight(before, backend, weight))}
              min={0}
              max={WHOLE}
              step={1}
              label={null}
              thumbProps={{
                ...(index === 0 ? { 'data-autofocus': true } : {}),
                'aria-labelledby': `weight-${backend}`,
                'aria-valuetext': `weight ${weights[backend] ?? 0}`,
              }}
            />
            <output className="number strong">
              {weights[backend] ?? 0}
              {names.length === 2 ? ' %' : ` of ${sum}`}
            </output>
          </div>
        ))}
        <Another
          namespace={namespace}
          taken={[name, ...names]}
          onAdd={(added) => setWeights((before) => ({ ...before, [added]: 0 }))}
        />
      </div>
    </ActionDialog>
  );
}

/** Services of the namespace that may take a share as well. Whether one may, the preview says. */
function Another({
  namespace,
  taken,
  onAdd,
}: {
  namespace: string;
  taken: string[];
  onAdd: (name: string) => void;
}) {
  const { data } = useView<Services>(views.services({ search: namespace, limit: CHOICES }));
  const free = (data?.items ?? []).filter(
    (row) => row.namespace === namespace && !taken.includes(row.name),
  );
  const [chosen, setChosen] = useState('');
  // While nobody knows, its place is kept.
  if (data !== undefined && free.length === 0) return null;
  return (
    <div className="row" style={{ alignItems: 'end' }}>
      <NativeSelect
        label="Another backend"
        value={chosen}
        onChange={(event) => setChosen(event.currentTarget.value)}
        data={[{ value: '', label: 'Choose a service' }, ...free.map((row) => row.name)]}
      />
      <Button
        variant="default"
        size="sm"
        disabled={chosen === ''}
        onClick={() => {
          onAdd(chosen);
          setChosen('');
        }}
      >
        Add
      </Button>
    </div>
  );
}

function Changed({ preview }: { preview: Shifted | undefined }) {
  if (!preview) return <p className="dim">Asking the bridge.</p>;
  if (preview.outcome === 'unchanged')
    return <p>Nothing: the traffic is divided like this already. Move a slider.</p>;
  const text = difference(specOf(preview.before), specOf(preview.after));
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
