// Who is signed in. The session is a cookie that script cannot read; the page keeps only what the
// API says of it.

import {
  type ReactNode,
  createContext,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from 'react';
import { Refused, call, setGuard, unreachable } from './request';
import type { Problem, Session } from './views';

type State =
  | { kind: 'asking' }
  | { kind: 'out'; problem?: Problem; ended?: boolean }
  | { kind: 'unreachable'; problem: Problem }
  | { kind: 'in'; session: Session };

interface Access {
  state: State;
  signIn(secret: { token: string } | { code: string }): Promise<void>;
  signOut(): Promise<void>;
  /** The API said that the session is over. */
  expire(): void;
  retry(): void;
}

const Context = createContext<Access | undefined>(undefined);

/** The one-time code of a sign-in link, taken out of the address so that it stays in no history. */
export function takeCode(place: Location, history: History): string | undefined {
  const code = new URLSearchParams(place.hash.replace(/^#/, '')).get('code') ?? undefined;
  if (code !== undefined) history.replaceState(history.state, '', place.pathname + place.search);
  return code;
}

/** What is to be known when signing out did not end the session everywhere. */
function notSignedOut(error: unknown): Problem {
  const problem = error instanceof Refused ? error.problem : unreachable();
  const title =
    problem.status === 0
      ? 'The bridge did not hear that you signed out'
      : 'Signed out of this browser, and not everywhere';
  return { ...problem, title };
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const [state, setState] = useState<State>({ kind: 'asking' });

  const enter = useCallback((session: Session) => {
    setGuard(session.csrf);
    setState({ kind: 'in', session });
  }, []);

  const ask = useCallback(async () => {
    const code = takeCode(window.location, window.history);
    try {
      enter(
        code === undefined
          ? await call<Session>('GET', 'session')
          : await call<Session>('POST', 'session', { code }),
      );
    } catch (error) {
      const problem = error instanceof Refused ? error.problem : unreachable();
      if (problem.status === 0 || problem.status >= 500) setState({ kind: 'unreachable', problem });
      else setState({ kind: 'out', problem: code === undefined ? undefined : problem });
    }
  }, [enter]);

  useEffect(() => void ask(), [ask]);
  useEffect(() => {
    if (state.kind !== 'unreachable') return;
    const timer = setTimeout(() => void ask(), 2_000);
    return () => clearTimeout(timer);
  }, [state, ask]);

  const access = useMemo<Access>(
    () => ({
      state,
      signIn: async (secret) => enter(await call<Session>('POST', 'session', secret)),
      signOut: async () => {
        const problem = await call('DELETE', 'session').then(() => undefined, notSignedOut);
        setGuard(undefined);
        setState({ kind: 'out', problem });
      },
      expire: () =>
        setState((before) => (before.kind === 'in' ? { kind: 'out', ended: true } : before)),
      retry: () => void ask(),
    }),
    [state, enter, ask],
  );
  return <Context value={access}>{children}</Context>;
}

export function useAccess(): Access {
  const access = useContext(Context);
  if (!access) throw new Error('outside of SessionProvider');
  return access;
}
