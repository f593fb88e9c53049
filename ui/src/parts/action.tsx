// The frame of every action: what will happen, the equal command, why, and afterwards who serves it.

import { Button, Modal, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { convergence, revert } from '../api/actions';
import { Refused, unreachable } from '../api/request';
import type { Problem } from '../api/views';
import { Command } from './command';
import { Note, ProblemNote } from './panel';

export interface Preview {
  command?: string | null;
  warnings?: string[];
  revision: string;
}

interface Props<T extends Preview> {
  title: string;
  verb: string;
  /** What distinguishes one wish from another; a new one asks for a new preview. */
  wish: readonly unknown[];
  preview: (reason: string) => Promise<T>;
  apply: (reason: string) => Promise<{ revision: string }>;
  describe: (preview: T | undefined) => ReactNode;
  isNothing?: (preview: T) => boolean;
  children?: ReactNode;
  onClose: () => void;
}

const CONVERGENCE_MS = 1_000;
const SETTLE_MS = 300;

function problemOf(error: unknown): Problem {
  return error instanceof Refused ? error.problem : unreachable();
}

export function ActionDialog<T extends Preview>({
  title,
  verb,
  wish,
  preview,
  apply,
  describe,
  isNothing,
  children,
  onClose,
}: Props<T>) {
  const [reason, setReason] = useState('');
  const [settled] = useDebouncedValue(reason.trim(), SETTLE_MS);
  const [done, setDone] = useState<{ revision: string; before: string }>();
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const asked = useQuery({
    queryKey: ['preview', title, settled, ...wish],
    queryFn: () => preview(settled),
    enabled: done === undefined,
    gcTime: 0,
    staleTime: 0,
    retry: false,
    placeholderData: (before) => before,
  });
  const shown = problem ?? (asked.error ? problemOf(asked.error) : undefined);
  const isCurrent = asked.data !== undefined && !asked.isPlaceholderData && !asked.isFetching;
  const nothing = asked.data !== undefined && (isNothing?.(asked.data) ?? false);

  const act = async (call: () => Promise<{ revision: string }>, before: string) => {
    setBusy(true);
    setProblem(undefined);
    try {
      setDone({ revision: (await call()).revision, before });
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Modal opened onClose={onClose} title={title} size="xl">
      <div className="dialog">
        {done === undefined ? (
          <>
            {children}
            <section aria-label="What will happen" aria-busy={!isCurrent} className="stack late">
              <h3>What will happen</h3>
              {describe(asked.data)}
              {(asked.data?.warnings ?? []).map((warning) => (
                <Note key={warning} level="degraded" title={warning} />
              ))}
            </section>
            {(asked.data === undefined || asked.data.command != null) && (
              <section aria-label="The same as a command" className="stack">
                <h3>The same as a command</h3>
                <Command text={asked.data?.command ?? 'rialto …'} />
              </section>
            )}
            <TextInput
              data-autofocus={children === undefined || undefined}
              label="Reason"
              description="Kept in the history, for who asks later"
              value={reason}
              maxLength={500}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            {shown && <ProblemNote problem={shown} />}
            <div className="dialog-foot">
              <Button variant="default" size="sm" onClick={onClose}>
                Cancel
              </Button>
              <Button
                size="sm"
                loading={isBusy}
                disabled={!isCurrent || nothing || asked.error !== null}
                onClick={() => void act(() => apply(reason), asked.data?.revision ?? '')}
              >
                {verb}
              </Button>
            </div>
          </>
        ) : (
          <>
            <Applied revision={done.revision} />
            {shown && <ProblemNote problem={shown} />}
            <div className="dialog-foot">
              {done.before !== '' && done.before !== done.revision && (
                <Button
                  variant="default"
                  size="sm"
                  loading={isBusy}
                  onClick={() =>
                    void act(() => revert(done.before, false, `undo of ${done.revision}`), '')
                  }
                >
                  Undo
                </Button>
              )}
              <Button size="sm" data-autofocus onClick={onClose}>
                Close
              </Button>
            </div>
          </>
        )}
      </div>
    </Modal>
  );
}

/** Who serves a revision, until all do. */
export function Applied({ revision }: { revision: string }) {
  const { data, error } = useQuery({
    queryKey: ['convergence', revision],
    queryFn: () => convergence(revision),
    gcTime: 0,
    refetchInterval: ({ state }) =>
      state.data && state.data.acked >= state.data.total ? false : CONVERGENCE_MS,
  });
  const isAll = data !== undefined && data.acked >= data.total;
  return (
    <div className="stack" role="status">
      <p className="strong">
        <span style={{ color: 'var(--healthy)' }} aria-hidden="true">
          ✓{' '}
        </span>
        Done, as revision <code>{revision}</code>
      </p>
      {data && (
        <>
          <div
            className="progress"
            role="img"
            aria-label={`${data.acked} of ${data.total} gateways and DNS proxies serve it`}
          >
            <span
              style={{ width: `${data.total === 0 ? 100 : (data.acked / data.total) * 100}%` }}
            />
          </div>
          <p>
            {isAll
              ? `All ${data.total} gateways and DNS proxies serve it.`
              : `${data.acked} of ${data.total} gateways and DNS proxies serve it. Not yet: ${data.missing
                  .slice(0, 5)
                  .map((one) => `${one.id} @${one.cluster}`)
                  .join(
                    ', ',
                  )}${data.missing.length > 5 ? ` and ${data.missing.length - 5} more` : ''}.`}
          </p>
          {(data.warnings ?? []).map((warning) => (
            <p key={warning} className="dim">
              {warning}
            </p>
          ))}
        </>
      )}
      {!data && !error && <p className="dim">Asking who serves it.</p>}
      {error !== null && <p className="dim">Who serves it is not known: {error.message}</p>}
    </div>
  );
}
