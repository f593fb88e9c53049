import { MantineProvider } from '@mantine/core';
import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import type { ServiceRow } from '../api/views';
import { ServiceTable } from './service-table';

vi.mock('./links', () => ({ ServiceLink: ({ name }: { name: string }) => <span>{name}</span> }));
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function row(number: number): ServiceRow {
  return {
    namespace: 'books',
    name: `service-${number}`,
    level: 'healthy',
    text: 'all well',
    workspace: null,
    ports: '80/http',
    rates: null,
    remoteShare: null,
    clusters: [],
  };
}

test('a long table has a screenful at once, and all of it after the first picture', async () => {
  const rows = Array.from({ length: 50 }, (_, number) => row(number));
  vi.stubGlobal('innerHeight', 680);
  render(
    <MantineProvider>
      <ServiceTable rows={rows} at={0} />
    </MantineProvider>,
  );
  expect(screen.getAllByRole('row')).toHaveLength(1 + 20);
  await screen.findByText('service-49');
  expect(screen.getAllByRole('row')).toHaveLength(1 + 50);
});
