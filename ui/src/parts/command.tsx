// What can be taken along: names, addresses, the equal command.

import { useState } from 'react';
import { CheckIcon, CopyIcon } from './icons';

/** Where the clipboard is closed to script (plain HTTP on an address), the text is marked to be copied by hand. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [said, setSaid] = useState<'copied' | 'not copied: mark it by hand'>();
  return (
    <button
      type="button"
      className="copy"
      data-done={said === 'copied'}
      aria-label={`Copy ${what}`}
      title={`Copy ${what}`}
      onClick={() => {
        void copy(text).then((isDone) => {
          setSaid(isDone ? 'copied' : 'not copied: mark it by hand');
          setTimeout(() => setSaid(undefined), 2_000);
        });
      }}
    >
      {said === 'copied' ? <CheckIcon /> : <CopyIcon />}
      <span className="visually-hidden" aria-live="polite">
        {said ?? ''}
      </span>
    </button>
  );
}

export function Command({ text, label = 'command' }: { text: string; label?: string }) {
  return (
    <div className="command">
      <code aria-label={label}>{text}</code>
      <CopyButton text={text} what={label} />
    </div>
  );
}

export function Copyable({ text, what }: { text: string; what: string }) {
  return (
    <span className="copyable">
      <code>{text}</code>
      <CopyButton text={text} what={what} />
    </span>
  );
}
