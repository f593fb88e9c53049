import { Button } from '@mantine/core';
import type { ErrorComponentProps } from '@tanstack/react-router';
import { useEffect } from 'react';
import { PartMissing, isBridgeThere } from '../parts/late';
import { Note } from '../parts/panel';

const PATIENCE_MS = 10_000;

/** What is shown where a part of the page itself is at fault. It helps itself, as a wall has no hands. */
export function Broken({ error, reset }: ErrorComponentProps) {
  const isMissing = error instanceof PartMissing;
  useEffect(() => {
    const again = async () => {
      if (!isMissing) return reset();
      // Loaded anew while the bridge is away, the browser would show a page of its own, for good.
      if (await isBridgeThere()) window.location.reload();
    };
    const timer = setInterval(() => void again(), PATIENCE_MS);
    return () => clearInterval(timer);
  }, [isMissing, reset]);
  return (
    <div role="alert">
      <Note level="failing" title="This page cannot be shown">
        <p>
          {isMissing
            ? 'A part of it cannot be had, perhaps because the bridge is of another version than the page. It loads itself anew soon.'
            : 'The page does not understand what it got. It tries again by itself; loading it anew fetches the version that fits the bridge.'}
        </p>
        <p className="small dim">{error instanceof Error ? error.message : String(error)}</p>
        <div className="row">
          <Button variant="default" onClick={() => window.location.reload()}>
            Load anew
          </Button>
        </div>
      </Note>
    </div>
  );
}
