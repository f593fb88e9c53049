// What lists and the map are narrowed down by. The choices are the API's own.

import { NativeSelect, TextInput } from '@mantine/core';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { Level, Services } from '../api/views';
import { count } from '../format';
import { COUNTED, WORDS } from '../health';
import { useKeys } from '../keys';

/** How the API names services of no workspace. */
export const NONE = '-';
const TYPING_MS = 120;

/** A text field whose value goes into the address once typing pauses. */
function SearchField({
  value,
  onSearch,
  label,
  placeholder,
}: {
  value: string;
  onSearch: (text: string) => void;
  label: string;
  placeholder: string;
}) {
  const [text, setText] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  const sent = useRef(value);
  useKeys({ f: () => field.current?.focus() });
  useEffect(() => {
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      onSearch(text);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <TextInput
      ref={field}
      type="search"
      label={label}
      placeholder={placeholder}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      spellCheck={false}
      autoComplete="off"
      aria-keyshortcuts="f"
    />
  );
}

interface Wishes {
  search?: string;
  cluster?: string;
  workspace?: string;
  level?: Level;
}

/** Every change names all wishes, so that nothing is lost on the way. */
export function Filters({
  label,
  wishes,
  facets,
  hasCounts = false,
  onChange,
  children,
}: {
  label: string;
  wishes: Wishes;
  facets: Services['facets'] | undefined;
  hasCounts?: boolean;
  onChange: (wishes: Wishes) => void;
  children?: ReactNode;
}) {
  const { search, cluster, workspace, level } = wishes;
  const set = (change: Wishes) => onChange({ search, cluster, workspace, level, ...change });
  const name = (text: string, counted: number | undefined) =>
    hasCounts ? `${text} (${count(counted ?? 0)})` : text;
  return (
    <div className="filters" role="search" aria-label={label}>
      <SearchField
        label="Search"
        placeholder="Words of names (f)"
        value={search ?? ''}
        onSearch={(text) => set({ search: text || undefined })}
      />
      <NativeSelect
        label="Cluster"
        value={cluster ?? ''}
        onChange={(event) => set({ cluster: event.currentTarget.value || undefined })}
        data={[{ value: '', label: 'All clusters' }, ...choices(facets?.clusters, cluster, name)]}
      />
      <NativeSelect
        label="Workspace"
        value={workspace ?? ''}
        onChange={(event) => set({ workspace: event.currentTarget.value || undefined })}
        data={[
          { value: '', label: 'All workspaces' },
          ...choices(facets?.workspaces, workspace, name),
        ]}
      />
      <NativeSelect
        label="Health"
        value={level ?? ''}
        onChange={(event) => set({ level: (event.currentTarget.value || undefined) as Level })}
        data={[
          { value: '', label: 'Any' },
          ...COUNTED.map((one) => ({ value: one, label: name(WORDS[one], facets?.levels[one]) })),
        ]}
      />
      {children}
    </div>
  );
}

/** What the API counted; a chosen value stays choosable while it counts nothing. */
function choices(
  facets: { name: string; count: number }[] | undefined,
  chosen: string | undefined,
  name: (text: string, counted: number | undefined) => string,
) {
  const list = (facets ?? []).map((facet) => ({
    value: facet.name,
    label: name(facet.name === NONE ? 'No workspace' : facet.name, facet.count),
  }));
  if (chosen !== undefined && !list.some(({ value }) => value === chosen))
    list.push({ value: chosen, label: chosen });
  return list;
}
