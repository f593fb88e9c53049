import { Button } from '@mantine/core';
import type { ErrorComponentProps } from '@tanstack/react-router';
import { useEffect } from 'react';
import { Note } from '../parts/panel';

const PATIENCE_MS = 10_000;

/** What is shown where a part of the page itself is at fault. It tries again, as a wall has no hands. */
export function Broken({ error, reset }: ErrorComponentProps) {
  useEffect(() => {
    const timer = setTimeout(reset, PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [reset]);
  return (
    <div role="alert">
      <Note level="failing" title="This page cannot be shown">
        <p>
          The page does not understand what it got, perhaps because the bridge is of another version
          than the page. It tries again by itself; loading it anew fetches the version that fits.
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
