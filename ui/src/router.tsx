// Every address of the page. The search part holds filters and positions, so that a link shows
// another person the same.

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from '@tanstack/react-router';
import { RANGES, type Range } from './api/paths';
import { apiBase } from './api/request';
import type { Level } from './api/views';
import { Broken } from './pages/broken';
import { NotFound } from './pages/not-found';
import { OverviewPage } from './pages/overview';
import { late } from './parts/late';
import { Shell } from './parts/shell';

type Search = Record<string, unknown>;

export interface RangeSearch {
  over?: Range;
}
export interface ServicesSearch extends RangeSearch {
  search?: string;
  cluster?: string;
  workspace?: string;
  health?: Level;
  sort?: (typeof SORTS)[number];
  from?: string;
}
export interface TopologySearch extends RangeSearch {
  search?: string;
  cluster?: string;
  workspace?: string;
  level?: Level;
  group?: 'workspace' | 'none';
  show?: 'table';
  node?: string;
}
export interface ChangesSearch {
  before?: string;
  subject?: string;
  open?: string;
}

function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function oneOf<T extends string>(value: unknown, among: readonly T[]): T | undefined {
  return among.find((one) => one === value);
}

const LEVELS = ['healthy', 'degraded', 'failing', 'idle', 'unknown', 'draining'] as const;
export const SORTS = ['health', 'name', 'requests', 'errors'] as const;

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const overview = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: (search: Search): RangeSearch => ({ over: oneOf(search.over, RANGES) }),
  component: OverviewPage,
});

const services = createRoute({
  getParentRoute: () => root,
  path: '/services',
  validateSearch: (search: Search): ServicesSearch => ({
    search: text(search.search),
    cluster: text(search.cluster),
    workspace: text(search.workspace),
    health: oneOf(search.health, LEVELS),
    sort: oneOf(search.sort, SORTS),
    from: text(search.from),
    over: oneOf(search.over, RANGES),
  }),
  component: lazyRouteComponent(
    late(() => import('./pages/services')),
    'ServicesPage',
  ),
});

const service = createRoute({
  getParentRoute: () => root,
  path: '/services/$namespace/$name',
  validateSearch: (search: Search): RangeSearch & { act?: 'shift' } => ({
    act: oneOf(search.act, ['shift'] as const),
    over: oneOf(search.over, RANGES),
  }),
  component: lazyRouteComponent(
    late(() => import('./pages/service')),
    'ServicePageView',
  ),
});

const clusters = createRoute({
  getParentRoute: () => root,
  path: '/clusters',
  validateSearch: (search: Search): RangeSearch & { act?: 'join' } => ({
    act: oneOf(search.act, ['join'] as const),
    over: oneOf(search.over, RANGES),
  }),
  component: lazyRouteComponent(
    late(() => import('./pages/clusters')),
    'ClustersPage',
  ),
});

const cluster = createRoute({
  getParentRoute: () => root,
  path: '/clusters/$name',
  validateSearch: (search: Search): RangeSearch => ({ over: oneOf(search.over, RANGES) }),
  component: lazyRouteComponent(
    late(() => import('./pages/cluster')),
    'ClusterPageView',
  ),
});

const topology = createRoute({
  getParentRoute: () => root,
  path: '/topology',
  validateSearch: (search: Search): TopologySearch => ({
    search: text(search.search),
    cluster: text(search.cluster),
    workspace: text(search.workspace),
    level: oneOf(search.level, LEVELS),
    group: oneOf(search.group, ['workspace', 'none'] as const),
    show: oneOf(search.show, ['table'] as const),
    node: text(search.node),
    over: oneOf(search.over, RANGES),
  }),
  component: lazyRouteComponent(
    late(() => import('./pages/topology')),
    'TopologyPage',
  ),
});

const changes = createRoute({
  getParentRoute: () => root,
  path: '/changes',
  validateSearch: (search: Search): ChangesSearch => ({
    before: text(search.before),
    subject: text(search.subject),
    open: text(search.open),
  }),
  component: lazyRouteComponent(
    late(() => import('./pages/changes')),
    'ChangesPage',
  ),
});

export const router = createRouter({
  routeTree: root.addChildren([overview, services, service, clusters, cluster, topology, changes]),
  basepath: apiBase() || '/',
  // Values stay as they are typed: `1.10` is a revision, not a number.
  parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
  stringifySearch: (search) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(search))
      if (value !== undefined && value !== '') query.set(name, String(value));
    const whole = query.toString();
    return whole === '' ? '' : `?${whole}`;
  },
  defaultPreload: 'intent',
  defaultErrorComponent: Broken,
  scrollRestoration: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
