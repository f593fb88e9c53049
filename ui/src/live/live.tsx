// Views in React: each is fetched once, then kept fresh by the tab's one stream.

import { useQuery, useQueryClient, keepPreviousData } from '@tanstack/react-query';
import {
  type ReactNode,
  createContext,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from 'react';
import { Refused, apiPath, call, isProblem, problemOf, unreachable } from '../api/request';
import type { Problem } from '../api/views';
import { type Shown, shown } from './connection';
import { Stream } from './stream';

export interface Kept<T> {
  data?: T;
  problem?: Problem;
  at: number;
}

const Context = createContext<Stream | undefined>(undefined);

async function open(views: string[], signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const query = views.map((view) => `view=${encodeURIComponent(view)}`).join('&');
  const answer = await fetch(apiPath(`live?${query}`), {
    signal,
    credentials: 'same-origin',
    cache: 'no-store',
    headers: { Accept: 'text/event-stream' },
  });
  if (!answer.ok || !answer.body)
    throw Object.assign(new Error('refused'), {
      status: answer.status,
      problem: await problemOf(answer),
    });
  return answer.body;
}

export function LiveProvider({
  children,
  onUnauthorized,
}: {
  children: ReactNode;
  onUnauthorized: () => void;
}) {
  const client = useQueryClient();
  const stream = useMemo(
    () =>
      new Stream({
        open,
        onUnauthorized,
        now: () => Date.now(),
        draw: () => Math.random(),
        onEvent({ name, data }, at) {
          const event = JSON.parse(data) as { view: string; data?: unknown; problem?: unknown };
          client.setQueryData<Kept<unknown>>(['view', event.view], (before) =>
            name === 'problem' && isProblem(event.problem)
              ? { ...before, problem: event.problem, at: before?.at ?? at }
              : { data: event.data, at },
          );
        },
      }),
    [client, onUnauthorized],
  );
  useEffect(() => {
    const follow = () => stream.pause(document.hidden);
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      stream.close();
    };
  }, [stream]);
  return <Context value={stream}>{children}</Context>;
}

export function useStream(): Stream {
  const stream = useContext(Context);
  if (!stream) throw new Error('outside of LiveProvider');
  return stream;
}

export interface View<T> {
  data?: T;
  problem?: Problem;
  at: number;
  isPrevious: boolean;
}

/** A view by its path. While another one of the same kind loads, the one before stays in place. */
export function useView<T>(path: string | undefined): View<T> {
  const stream = useStream();
  useEffect(() => (path === undefined ? undefined : stream.want(path)), [stream, path]);
  const query = useQuery({
    queryKey: ['view', path],
    enabled: path !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }): Promise<Kept<T>> => {
      const data = await call<T>('GET', `views/${path}`, undefined, signal);
      return { data, at: Date.now() };
    },
  });
  const failure =
    query.error instanceof Refused ? query.error.problem : query.error ? unreachable() : undefined;
  return {
    data: query.data?.data,
    problem: query.data?.problem ?? failure,
    at: query.data?.at ?? 0,
    isPrevious: query.isPlaceholderData,
  };
}

const SECOND = 1_000;
let seconds = 0;
const tickers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function onTick(listener: () => void): () => void {
  tickers.add(listener);
  timer ??= setInterval(() => {
    if (document.hidden) return;
    seconds += 1;
    for (const ticker of tickers) ticker();
  }, SECOND);
  return () => {
    tickers.delete(listener);
    if (tickers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The wall clock, once a second, for texts that say an age. */
export function useNow(): number {
  useSyncExternalStore(onTick, () => seconds);
  return Date.now();
}

export function useShown(): Shown {
  const stream = useStream();
  const connection = useSyncExternalStore(
    (listener) => stream.subscribe(listener),
    () => stream.connection,
  );
  return shown(connection, useNow());
}
