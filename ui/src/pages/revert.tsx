import { revert } from '../api/actions';
import type { ChangeLine, HistoryEntry } from '../api/views';
import { difference, lines } from '../documents';
import { ActionDialog } from '../parts/action';
import { Diff } from '../parts/changes';

/** The revision that the API's own command names; the page does not work it out. */
export function revisionOf(command: string): string | undefined {
  return /\brevert\s+(?:--to[= ])?(\d+\.\d+)\b/.exec(command)?.[1];
}

type Preview = HistoryEntry & { command?: string | null };

export default function RevertDialog({
  change,
  onClose,
}: {
  change: ChangeLine;
  onClose: () => void;
}) {
  const target = revisionOf(change.revertCommand ?? '') ?? change.revision;
  return (
    <ActionDialog<Preview>
      title={`Go back to revision ${target}`}
      verb="Go back"
      onClose={onClose}
      wish={[target]}
      preview={() => revert(target, true)}
      apply={(reason) => revert(target, false, reason)}
      isNothing={(preview) => preview.changes.length === 0}
      describe={(preview) => <Reverted preview={preview} />}
    />
  );
}

function Reverted({ preview }: { preview: Preview | undefined }) {
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
          <Diff
            text={difference(
              change.before ? lines(change.before) : [],
              change.after ? lines(change.after) : [],
            )}
          />
        </div>
      ))}
    </div>
  );
}
