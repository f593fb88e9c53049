import { revert } from '../api/actions';
import type { Reverted } from '../api/views';
import { difference, specOf } from '../documents';
import { ActionDialog } from '../parts/action';
import { Diff } from '../parts/changes';

export default function RevertDialog({ to, onClose }: { to: string; onClose: () => void }) {
  return (
    <ActionDialog<Reverted>
      title={`Go back to revision ${to}`}
      verb="Go back"
      onClose={onClose}
      wish={[to]}
      preview={(reason) => revert(to, true, reason)}
      apply={(reason) => revert(to, false, reason)}
      isNothing={(preview) => preview.changes.length === 0}
      describe={(preview) => <Returned preview={preview} />}
    />
  );
}

function Returned({ preview }: { preview: Reverted | undefined }) {
  if (!preview) return <p className="dim">Asking the bridge.</p>;
  if (preview.changes.length === 0) return <p>Nothing: every object is as it was then.</p>;
  return (
    <div className="stack">
      <p>
        A new revision makes {preview.changes.length}{' '}
        {preview.changes.length === 1 ? 'object' : 'objects'} as{' '}
        {preview.changes.length === 1 ? 'it was' : 'they were'} then. The history stays whole.
      </p>
      {preview.changes.map((change) => (
        <div
          key={`${change.key.kind}/${change.key.namespace}/${change.key.name}`}
          className="stack"
        >
          <h3>
            {change.key.kind} {change.key.namespace ? `${change.key.namespace}/` : ''}
            {change.key.name}
          </h3>
          <Diff text={difference(specOf(change.before), specOf(change.after))} />
        </div>
      ))}
    </div>
  );
}
