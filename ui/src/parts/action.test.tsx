import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, test, vi } from 'vitest';
import { Refused } from '../api/request';
import type { Problem } from '../api/views';
import { ActionDialog, type Preview } from './action';

vi.mock('../api/actions', () => ({
  convergence: (revision: string) =>
    Promise.resolve({ revision, acked: 3, total: 3, missing: [], warnings: [] }),
  revert: vi.fn(() => Promise.resolve({ revision: '1.9' })),
}));

afterEach(cleanup);

const PROBLEM: Problem = {
  type: 'urn:rialto:error:RIA1004',
  title: 'There is no such cluster',
  status: 404,
  code: 'RIA1004',
  detail: 'Cluster north.',
  hint: 'List them: rialto get clusters.',
};

function show(
  preview: (reason: string) => Promise<Preview>,
  apply: (reason: string) => Promise<{ revision: string }>,
) {
  const client = new QueryClient();
  render(
    <MantineProvider>
      <QueryClientProvider client={client}>
        <ActionDialog
          title="Drain west"
          verb="Drain"
          wish={['west']}
          preview={preview}
          apply={apply}
          isNothing={() => false}
          describe={(of) => <p>{of ? 'two services move' : 'asking'}</p>}
          onClose={() => undefined}
        />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return userEvent.setup();
}

const verb = () => screen.getByRole<HTMLButtonElement>('button', { name: 'Drain' });

test('nothing is done before the API said what would happen', async () => {
  let answer: (preview: Preview) => void = () => undefined;
  const applied = vi.fn(() => Promise.resolve({ revision: '1.8' }));
  const user = show(
    (reason) =>
      reason
        ? Promise.resolve({ revision: '1.7', command: `rialto drain west --reason '${reason}'` })
        : new Promise((resolve) => {
            answer = resolve;
          }),
    applied,
  );
  expect(verb().disabled).toBe(true);
  answer({ revision: '1.7', command: 'rialto drain west' });
  await screen.findByText('two services move');
  await waitFor(() => expect(verb().disabled).toBe(false));
  await user.type(screen.getByLabelText('Reason'), 'kernel');
  await screen.findByText("rialto drain west --reason 'kernel'");
  await waitFor(() => expect(verb().disabled).toBe(false));
  await user.click(verb());
  await screen.findByText('All 3 gateways and DNS proxies serve it.');
  expect(applied).toHaveBeenCalledWith('kernel');
});

test('what was done can be taken back to the revision that the preview read', async () => {
  const { revert } = await import('../api/actions');
  const user = show(
    () => Promise.resolve({ revision: '1.7' }),
    () => Promise.resolve({ revision: '1.8' }),
  );
  await waitFor(() => expect(verb().disabled).toBe(false));
  await user.click(verb());
  await user.click(await screen.findByRole('button', { name: 'Undo' }));
  await screen.findByText('1.9');
  expect(revert).toHaveBeenCalledWith('1.7', false, 'undo of 1.8');
});

test('a refusal is shown where it arose, with what to do', async () => {
  const applied = vi.fn(() => Promise.resolve({ revision: '1.8' }));
  show(() => Promise.reject(new Refused(PROBLEM)), applied);
  await screen.findByText('There is no such cluster');
  screen.getByText('List them: rialto get clusters.');
  expect(verb().disabled).toBe(true);
  expect(applied).not.toHaveBeenCalled();
});
