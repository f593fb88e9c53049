// From anywhere to anything: pages, clusters, services. The API searches, the page lists.

import { Modal, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useDebouncedValue } from '@mantine/hooks';
import { useId, useState } from 'react';
import { views } from '../api/paths';
import type { Clusters, Level, Services } from '../api/views';
import { useView } from '../live/live';
import { NONE } from './filters';
import { Glyph } from './level';

interface Target {
  key: string;
  name: string;
  kind: string;
  level?: Level;
  go: () => void;
}
const SHOWN = 12;
const WORKSPACES_SHOWN = 4;

/** The next selected position: arrows go round, Home and End to the ends. */
export function moved(key: string, position: number, length: number): number | undefined {
  if (length === 0) return undefined;
  if (key === 'ArrowDown') return (position + 1) % length;
  if (key === 'ArrowUp') return (position - 1 + length) % length;
  if (key === 'Home') return 0;
  if (key === 'End') return length - 1;
  return undefined;
}

export default function Jump({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const list = useId();
  const [text, setText] = useState('');
  const [position, setPosition] = useState(0);
  const [search] = useDebouncedValue(text.trim(), 80);
  const services = useView<Services>(views.services({ search, limit: SHOWN }));
  const clusters = useView<Clusters>(views.clusters());

  const fits = (name: string) =>
    text
      .trim()
      .toLowerCase()
      .split(/\s+/)
      .every((word) => name.toLowerCase().includes(word));
  const pages = [
    ['Overview', '/'],
    ['Topology', '/topology'],
    ['Services', '/services'],
    ['Clusters', '/clusters'],
    ['Changes', '/changes'],
  ] as const;
  const targets: Target[] = [
    ...(clusters.data?.items ?? [])
      .filter((card) => fits(card.name))
      .slice(0, 6)
      .map((card) => ({
        key: `cluster ${card.name}`,
        name: card.name,
        kind: 'Cluster',
        level: card.level,
        go: () => void navigate({ to: '/clusters/$name', params: { name: card.name } }),
      })),
    ...(services.data?.items ?? []).map(({ namespace, name, level }) => ({
      key: `service ${namespace}/${name}`,
      name: `${namespace}/${name}`,
      kind: 'Service',
      level,
      go: () =>
        void navigate({
          to: '/services/$namespace/$name',
          params: { namespace, name },
          search: {},
        }),
    })),
    ...(services.data?.facets.workspaces ?? [])
      .filter(({ name }) => name !== NONE && text.trim() !== '' && fits(name))
      .slice(0, WORKSPACES_SHOWN)
      .map(({ name }) => ({
        key: `workspace ${name}`,
        name,
        kind: 'Workspace',
        go: () => void navigate({ to: '/services', search: { workspace: name } }),
      })),
    ...pages
      .filter(([name]) => fits(name))
      .map(([name, to]) => ({ key: to, name, kind: 'Page', go: () => void navigate({ to }) })),
  ];
  const selected = Math.min(position, Math.max(0, targets.length - 1));
  const open = (target: Target | undefined) => {
    if (!target) return;
    onClose();
    target.go();
  };

  return (
    <Modal opened onClose={onClose} title="Jump to" size="lg" yOffset="10vh" returnFocus>
      <TextInput
        data-autofocus
        aria-label="Jump to a service, cluster, workspace or page"
        placeholder="Words of a name: books reviews"
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={targets[selected] ? `${list}-${selected}` : undefined}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setPosition(0);
        }}
        onKeyDown={(event) => {
          const next = moved(event.key, selected, targets.length);
          if (next !== undefined && !(event.key === 'Home' || event.key === 'End')) {
            event.preventDefault();
            setPosition(next);
            document.getElementById(`${list}-${next}`)?.scrollIntoView({ block: 'nearest' });
          } else if (event.key === 'Enter') {
            event.preventDefault();
            open(targets[selected]);
          }
        }}
      />
      <div id={list} role="listbox" aria-label="Found" className="jump-list">
        {targets.map((target, index) => (
          <div
            key={target.key}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === selected}
            onClick={() => open(target)}
            onMouseMove={() => setPosition(index)}
          >
            {target.level ? <Glyph level={target.level} /> : <span style={{ width: 18 }} />}
            <span className="wrap">{target.name}</span>
            <span className="jump-kind">{target.kind}</span>
          </div>
        ))}
      </div>
      {targets.length === 0 && (
        <p className="dim" style={{ paddingTop: 10 }} role="status">
          Nothing has all of these words in its name, namespace, workspace or cluster.
        </p>
      )}
    </Modal>
  );
}
