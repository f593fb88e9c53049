import './style/mantine.css';
import './style/tokens.css';
import './style/base.css';
import './parts/parts.css';
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Refused } from './api/request';
import { SessionProvider, useAccess } from './api/session';
import { LiveProvider } from './live/live';
import { SignIn } from './pages/sign-in';
import { router } from './router';
import { theme, variables } from './style/theme';

const nonce = document.querySelector('meta[name="csp-nonce"]')?.getAttribute('content') ?? '';
// The one name by which style tags of Mantine's scroll lock take a nonce.
Object.assign(globalThis, { __webpack_nonce__: nonce });

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // The stream keeps views fresh; what no page shows is forgotten soon.
      staleTime: 5_000,
      gcTime: 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < 3 &&
        !(error instanceof Refused && error.problem.status >= 400 && error.problem.status < 500),
    },
  },
});

function Root() {
  const { state, expire } = useAccess();
  if (state.kind === 'asking') return null;
  if (state.kind !== 'in') return <SignIn />;
  return (
    <LiveProvider onUnauthorized={expire}>
      <RouterProvider router={router} />
    </LiveProvider>
  );
}

const element = document.getElementById('root');
if (!element) throw new Error('index.html has no element "root"');
createRoot(element).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={client}>
        <SessionProvider>
          <Root />
        </SessionProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
