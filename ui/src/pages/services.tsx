import { Button, NativeSelect } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { views } from '../api/paths';
import type { Services } from '../api/views';
import { age, count } from '../format';
import { useView } from '../live/live';
import { Filters } from '../parts/filters';
import { Empty, Gaps, Loading, Panel, ProblemNote } from '../parts/panel';
import { RangeChoice } from '../parts/range';
import { ServiceTable } from '../parts/service-table';
import { PageHead } from '../parts/shell';
import './pages.css';

const route = getRouteApi('/services');
const PAGE = 50;

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
    over: wishes.over,
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
      <PageHead title="Services" name="Services" at={at}>
        <p className="dim" role="status">
          {data
            ? data.matched === data.total
              ? `${count(data.total)} services`
              : `${count(data.matched)} of ${count(data.total)} services`
            : ' '}
        </p>
      </PageHead>
      <Filters
        label="Filter of services"
        wishes={{ ...wishes, level: wishes.health }}
        facets={data?.facets}
        hasCounts
        onChange={({ level: health, ...change }) => set({ ...change, health })}
      >
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
      </Filters>
      {problem && <ProblemNote problem={problem} hasRetry={!data} />}
      {data && <Gaps gaps={data.gaps} />}
      {!data && !problem && <Loading label="services" rows={14} />}
      {data && (
        <Panel
          title="Services"
          note={`rates of the last ${age(data.overMs)}`}
          actions={<RangeChoice value={wishes.over} onChoose={(over) => set({ over })} />}
          isFlush
        >
          {data.items.length === 0 ? (
            isFiltered ? (
              <Empty title="No service fits">
                <p>The filter leaves nothing of {count(data.total)} services.</p>
                <div>
                  <Button
                    variant="default"
                    onClick={() =>
                      void navigate({
                        search: { sort: wishes.sort, over: wishes.over },
                        replace: true,
                      })
                    }
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
