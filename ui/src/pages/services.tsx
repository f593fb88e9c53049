import { Button, NativeSelect, TextInput } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { views } from '../api/paths';
import type { Services } from '../api/views';
import { count } from '../format';
import { COUNTED, WORDS } from '../health';
import { useKeys } from '../keys';
import { useView } from '../live/live';
import { Empty, Gaps, Loading, Panel, ProblemNote } from '../parts/panel';
import { ServiceTable } from '../parts/service-table';
import { PageHead } from '../parts/shell';
import './pages.css';

const route = getRouteApi('/services');
const PAGE = 100;
/** How the API names services of no workspace. */
export const NONE = '-';
const TYPING_MS = 120;

/** A text field whose value goes into the address once typing pauses. */
export function SearchField({
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

export function ServicesPage() {
  const wishes = route.useSearch();
  const navigate = route.useNavigate();
  const path = views.services({
    search: wishes.search,
    cluster: wishes.cluster,
    workspace: wishes.workspace,
    health: wishes.health,
    sort: wishes.sort ?? 'health',
    limit: PAGE,
    continue: wishes.from,
  });
  const { data, problem, at, isPrevious } = useView<Services>(path);
  const set = (change: Partial<typeof wishes>) =>
    void navigate({
      search: (before) => ({ ...before, from: undefined, ...change }),
      replace: true,
    });
  const isFiltered = Boolean(wishes.search || wishes.cluster || wishes.workspace || wishes.health);

  return (
    <>
      <PageHead title="Services" name="Services">
        <p className="dim" role="status">
          {data
            ? data.matched === data.total
              ? `${count(data.total)} services`
              : `${count(data.matched)} of ${count(data.total)} services`
            : ' '}
        </p>
      </PageHead>
      <div className="filters" role="search" aria-label="Filter of services">
        <SearchField
          label="Search"
          placeholder="Words of names (f)"
          value={wishes.search ?? ''}
          onSearch={(search) => set({ search: search || undefined })}
        />
        <NativeSelect
          label="Cluster"
          value={wishes.cluster ?? ''}
          onChange={(event) => set({ cluster: event.currentTarget.value || undefined })}
          data={[
            { value: '', label: 'All clusters' },
            ...choices(data?.facets.clusters, wishes.cluster),
          ]}
        />
        <NativeSelect
          label="Workspace"
          value={wishes.workspace ?? ''}
          onChange={(event) => set({ workspace: event.currentTarget.value || undefined })}
          data={[
            { value: '', label: 'All workspaces' },
            ...choices(data?.facets.workspaces, wishes.workspace),
          ]}
        />
        <NativeSelect
          label="Health"
          value={wishes.health ?? ''}
          onChange={(event) =>
            set({ health: (event.currentTarget.value || undefined) as typeof wishes.health })
          }
          data={[
            { value: '', label: 'Any' },
            ...COUNTED.map((level) => ({
              value: level,
              label: `${WORDS[level]} (${data?.facets.levels[level] ?? 0})`,
            })),
            { value: 'draining', label: 'Draining' },
          ]}
        />
        <NativeSelect
          label="Order"
          value={wishes.sort ?? 'health'}
          onChange={(event) => set({ sort: event.currentTarget.value as typeof wishes.sort })}
          data={[
            { value: 'health', label: 'Worst first' },
            { value: 'errors', label: 'Most errors' },
            { value: 'requests', label: 'Most requests' },
            { value: 'name', label: 'Name' },
          ]}
        />
      </div>
      {problem && <ProblemNote problem={problem} hasRetry={!data} />}
      {data && <Gaps gaps={data.gaps} />}
      {!data && !problem && <Loading label="services" rows={14} />}
      {data && (
        <Panel title="Services" note="rates of the last 30 s" isFlush>
          {data.items.length === 0 ? (
            isFiltered ? (
              <Empty title="No service fits">
                <p>The filter leaves nothing of {count(data.total)} services.</p>
                <div>
                  <Button
                    variant="default"
                    onClick={() => void navigate({ search: { sort: wishes.sort }, replace: true })}
                  >
                    Clear the filter
                  </Button>
                </div>
              </Empty>
            ) : (
              <Empty title="No service yet">
                <p>
                  A service appears when a cluster's agent reports it. Once exported, other clusters
                  call it: <code>rialto apply -f deploy/examples/serviceexport.yaml</code>.
                </p>
              </Empty>
            )
          ) : (
            <div aria-busy={isPrevious}>
              <ServiceTable rows={data.items} at={at} />
            </div>
          )}
          {(wishes.from !== undefined || data.continue != null) && (
            <div className="members">
              {wishes.from !== undefined && (
                <Button variant="default" onClick={() => set({ from: undefined })}>
                  First page
                </Button>
              )}
              {data.continue != null && (
                <Button
                  variant="default"
                  onClick={() => {
                    void navigate({
                      search: (before) => ({ ...before, from: data.continue ?? undefined }),
                    });
                    window.scrollTo(0, 0);
                  }}
                >
                  Next {PAGE}
                </Button>
              )}
            </div>
          )}
        </Panel>
      )}
    </>
  );
}

/** What the API counted; a chosen value stays choosable while it counts nothing. */
function choices(
  facets: { name: string; count: number }[] | undefined,
  chosen: string | undefined,
) {
  const list = (facets ?? []).map(({ name, count: counted }) => ({
    value: name,
    label: `${name === NONE ? 'No workspace' : name} (${count(counted)})`,
  }));
  if (chosen !== undefined && !list.some(({ value }) => value === chosen))
    list.push({ value: chosen, label: chosen });
  return list;
}
