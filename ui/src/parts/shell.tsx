import { Button, Modal, Switch } from '@mantine/core';
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import {
  type ReactNode,
  Suspense,
  createContext,
  lazy,
  useContext,
  useEffect,
  useMemo,
  useState,
} from 'react';
import { views } from '../api/paths';
import { useAccess } from '../api/session';
import type { Overview } from '../api/views';
import { GLYPHS } from '../health';
import { areKeysOn, setKeysOn, useKeys } from '../keys';
import { useShown, useStream, useView } from '../live/live';
import mark from '../style/mark.svg';
import {
  ChangesIcon,
  ClustersIcon,
  KeysIcon,
  OutIcon,
  OverviewIcon,
  SearchIcon,
  ServicesIcon,
  TopologyIcon,
} from './icons';
import { AsOf } from './figures';
import { fetchParts, late } from './late';
import { LevelMark } from './level';
import { usePainted } from './painted';
import './shell.css';

const Jump = lazy(late(() => import('./jump')));

const PAGES = [
  { to: '/', name: 'Overview', key: 'o', Icon: OverviewIcon },
  { to: '/topology', name: 'Topology', key: 't', Icon: TopologyIcon },
  { to: '/services', name: 'Services', key: 's', Icon: ServicesIcon },
  { to: '/clusters', name: 'Clusters', key: 'c', Icon: ClustersIcon },
  { to: '/changes', name: 'Changes', key: 'h', Icon: ChangesIcon },
] as const;

const Title = createContext<(title: string) => void>(() => undefined);

/** Names the page: for the tab, for the screen reader, for the history of the browser. */
export function usePageTitle(title: string): void {
  const set = useContext(Title);
  useEffect(() => set(title), [set, title]);
}

export function PageHead({
  title,
  children,
  name,
  at,
}: {
  title: ReactNode;
  name: string;
  /** When the answer came that the page shows; absent where it shows none. */
  at?: number;
  children?: ReactNode;
}) {
  usePageTitle(name);
  return (
    <div className="page-head">
      <div className="row">
        <h1 className="row">{title}</h1>
        {at !== undefined && <AsOf at={at} />}
      </div>
      {children}
    </div>
  );
}

export function Shell() {
  const navigate = useNavigate();
  const [isJumping, setJumping] = useState(false);
  const [isHelping, setHelping] = useState(false);
  const [title, setTitle] = useState('Rialto');
  const { data: overview } = useView<Overview>(views.overview());
  const path = useRouterState({ select: (state) => state.location.pathname });

  const bindings = useMemo(() => {
    const pairs = PAGES.map(({ to, key }) => [`g ${key}`, () => void navigate({ to })] as const);
    return {
      ...Object.fromEntries(pairs),
      '/': () => setJumping(true),
      '?': () => setHelping(true),
    };
  }, [navigate]);
  useKeys(bindings);

  useEffect(() => {
    const level = overview && overview.level !== 'healthy' ? `${GLYPHS[overview.level]} ` : '';
    document.title = `${level}${title} · Rialto`;
  }, [overview, title]);
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [path]);
  const isSeen = usePainted() && overview !== undefined;
  useEffect(() => {
    if (isSeen) void fetchParts();
  }, [isSeen]);

  return (
    <Title value={setTitle}>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('main')?.focus();
        }}
      >
        Skip to the page
      </a>
      <div className="shell">
        <TopBar
          overview={overview}
          onJump={() => setJumping(true)}
          onHelp={() => setHelping(true)}
        />
        <nav className="nav" aria-label="Pages">
          {PAGES.map(({ to, name, Icon }) => (
            <Link
              key={to}
              to={to}
              activeOptions={{ exact: to === '/', includeSearch: false }}
              activeProps={{ 'aria-current': 'page' }}
            >
              <Icon />
              {name}
            </Link>
          ))}
        </nav>
        <main id="main" className="main" tabIndex={-1}>
          <LostBanner />
          <Content>
            <Outlet />
          </Content>
        </main>
      </div>
      <p className="visually-hidden" aria-live="polite">
        {title}
      </p>
      {isJumping && (
        <Suspense fallback={null}>
          <Jump onClose={() => setJumping(false)} />
        </Suspense>
      )}
      <Help isOpen={isHelping} onClose={() => setHelping(false)} />
    </Title>
  );
}

function Content({ children }: { children: ReactNode }) {
  const { stale } = useShown();
  return (
    <div className={stale ? 'content stale' : 'content'} data-stale={stale}>
      {children}
    </div>
  );
}

function TopBar({
  overview,
  onJump,
  onHelp,
}: {
  overview?: Overview;
  onJump: () => void;
  onHelp: () => void;
}) {
  const { state, signOut } = useAccess();
  const isOverview = useRouterState({ select: (router) => router.location.pathname === '/' });
  const federation = state.kind === 'in' ? state.session.federation : '';
  return (
    <header className="topbar">
      <Link to="/" className="brand">
        <img src={mark} alt="" />
        <span>Rialto</span>
        <small>{federation}</small>
      </Link>
      <button type="button" className="jump-open" onClick={onJump} aria-keyshortcuts="/">
        <SearchIcon />
        <span>Jump to a service or cluster</span>
        <kbd aria-hidden="true">/</kbd>
      </button>
      <div className="topbar-state">
        {overview && !isOverview && (
          <div className="topbar-sentence">
            <Link to="/">
              <LevelMark level={overview.level} text={overview.sentence} />
            </Link>
          </div>
        )}
        <LiveMark />
        <button
          type="button"
          className="icon-button topbar-keys"
          onClick={onHelp}
          aria-label="Keys and signs"
          title="Keys and signs (?)"
        >
          <KeysIcon />
        </button>
        <button
          type="button"
          className="icon-button"
          onClick={() => void signOut()}
          aria-label="Sign out"
          title={state.kind === 'in' ? `Sign out ${state.session.actor}` : 'Sign out'}
        >
          <OutIcon />
        </button>
      </div>
    </header>
  );
}

function LiveMark() {
  const { state, text } = useShown();
  return (
    <span className="live" data-state={state} role="status" aria-label={`Connection: ${text}`}>
      {text}
    </span>
  );
}

function LostBanner() {
  const stream = useStream();
  const { state, text } = useShown();
  if (state !== 'offline') return null;
  return (
    <div className="banner" role="alert">
      <strong>The bridge cannot be reached.</strong>
      <span>
        What is shown is as it was last heard ({text.toLowerCase()}). The page tries again by
        itself; traffic goes on without the bridge.
      </span>
      <Button variant="default" onClick={() => stream.retry()}>
        Try now
      </Button>
    </div>
  );
}

const KEYS: [string, string][] = [
  ['/', 'Jump to a service, cluster, workspace or page'],
  ['g o', 'Overview'],
  ['g t', 'Topology'],
  ['g s', 'Services'],
  ['g c', 'Clusters'],
  ['g h', 'Changes'],
  ['f', 'Go to the filter of the page'],
  ['v', 'Topology: graph or table'],
  ['arrows', 'Topology: to the nearest node; Enter opens, Space selects, Escape lets go'],
  ['?', 'This sheet'],
];

function Help({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [isOn, setOn] = useState(areKeysOn);
  return (
    <Modal opened={isOpen} onClose={onClose} title="Keys and signs" size="md">
      <div className="stack" style={{ gap: 18 }}>
        <div className="keys">
          {KEYS.map(([key, what]) => (
            <KeyLine key={key} keys={key} what={what} />
          ))}
        </div>
        <Switch
          label="Single keys act"
          checked={isOn}
          onChange={(event) => {
            setOn(event.currentTarget.checked);
            setKeysOn(event.currentTarget.checked);
          }}
        />
        <div className="row" style={{ gap: 14 }}>
          {(['healthy', 'degraded', 'failing', 'idle', 'unknown', 'draining'] as const).map(
            (level) => (
              <LevelMark key={level} level={level} />
            ),
          )}
        </div>
        <p className="small dim">
          Unknown is not failing: nobody who could know has said. Health is judged by the last 30
          seconds; each page says which time its rates are of.
        </p>
      </div>
    </Modal>
  );
}

function KeyLine({ keys, what }: { keys: string; what: string }) {
  return (
    <>
      <span>
        {keys.split(' ').map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </span>
      <span>{what}</span>
    </>
  );
}
