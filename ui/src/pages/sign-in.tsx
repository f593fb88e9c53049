import { Button, PasswordInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { Refused, unreachable } from '../api/request';
import { useAccess } from '../api/session';
import type { Problem } from '../api/views';
import { Note } from '../parts/panel';
import mark from '../style/mark.svg';

function Trouble({ problem }: { problem: Problem }) {
  return (
    <div role="alert">
      <Note level="failing" title={problem.title}>
        <p>{problem.detail}</p>
        {problem.hint != null && <p>{problem.hint}</p>}
      </Note>
    </div>
  );
}

export function SignIn() {
  const { state, signIn, retry } = useAccess();
  const [token, setToken] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Problem>();
  const problem =
    refused ?? (state.kind === 'out' || state.kind === 'unreachable' ? state.problem : undefined);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() === '') {
      setRefused({
        ...unreachable(),
        status: 401,
        title: 'A token is missing',
        detail: 'The field is empty.',
        hint: 'Paste the administrator token.',
      });
      return;
    }
    setBusy(true);
    setRefused(undefined);
    try {
      await signIn({ token: token.trim() });
    } catch (error) {
      setRefused(error instanceof Refused ? error.problem : unreachable());
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="sign-in">
      <div>
        <div className="row" style={{ gap: 12 }}>
          <img src={mark} alt="" width="32" height="32" />
          <h1>Sign in to Rialto</h1>
        </div>
        {state.kind === 'out' && state.ended && !problem && (
          <Note level="unknown" title="The session has ended">
            <p>Sign in again to go on where you were.</p>
          </Note>
        )}
        {problem && <Trouble problem={problem} />}
        {state.kind === 'unreachable' ? (
          <div>
            <Button onClick={retry}>Try now</Button>
          </div>
        ) : (
          <form onSubmit={(event) => void submit(event)}>
            <PasswordInput
              label="Administrator token"
              autoComplete="current-password"
              autoFocus
              value={token}
              onChange={(event) => setToken(event.currentTarget.value)}
              visibilityToggleButtonProps={{ 'aria-label': 'Show the token', tabIndex: 0 }}
            />
            <Button type="submit" size="sm" loading={isBusy}>
              Sign in
            </Button>
            <p className="small dim">
              The token stands in the file that the bridge's setting <code>adminTokenFile</code>{' '}
              names. The demo prints a link that signs in by itself.
            </p>
          </form>
        )}
      </div>
    </main>
  );
}
