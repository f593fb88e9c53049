// Why a made-up request would go where it goes: the answer of the code that the gateways run.

import { Button, NativeSelect, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { explain } from '../api/actions';
import { Refused, unreachable } from '../api/request';
import type { Explanation, Problem, ServicePage } from '../api/views';
import { LevelMark } from '../parts/level';
import { Panel, ProblemNote } from '../parts/panel';

export function Explain({ page }: { page: ServicePage }) {
  const clusters = [
    ...new Set([
      ...page.failover.perCluster.map(({ from }) => from),
      ...page.virtualIps.map(({ cluster }) => cluster),
      ...page.row.clusters.map(({ name }) => name),
    ]),
  ];
  const callers = [
    ...new Set(page.callers.map(({ identity }) => identity).filter((identity) => identity != null)),
  ];
  const [wish, setWish] = useState({ fromCluster: '', caller: '', method: 'GET', path: '/' });
  const [answer, setAnswer] = useState<Explanation>();
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const isHttp = page.row.ports.includes('http');
  const set = (change: Partial<typeof wish>) => setWish((before) => ({ ...before, ...change }));

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      setAnswer(
        await explain({
          fromCluster: wish.fromCluster || clusters[0]!,
          service: `${page.row.namespace}/${page.row.name}`,
          caller: wish.caller.trim() || null,
          method: isHttp ? wish.method : null,
          path: isHttp ? wish.path : null,
          headers: {},
        }),
      );
    } catch (error) {
      setAnswer(undefined);
      setProblem(error instanceof Refused ? error.problem : unreachable());
    } finally {
      setBusy(false);
    }
  };

  return (
    <Panel title="Explain a request" note="made up; nothing is sent">
      <form className="stack" style={{ gap: 12 }} onSubmit={(event) => void submit(event)}>
        <div className="form-grid">
          <NativeSelect
            label="From cluster"
            data={clusters}
            value={wish.fromCluster || clusters[0]}
            onChange={(event) => set({ fromCluster: event.currentTarget.value })}
          />
          <TextInput
            label="Caller (SPIFFE ID)"
            placeholder="unknown caller"
            list="explain-callers"
            value={wish.caller}
            onChange={(event) => set({ caller: event.currentTarget.value })}
            spellCheck={false}
          />
          <datalist id="explain-callers">
            {callers.map((caller) => (
              <option key={caller} value={caller} />
            ))}
          </datalist>
          {isHttp && (
            <NativeSelect
              label="Method"
              data={['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']}
              value={wish.method}
              onChange={(event) => set({ method: event.currentTarget.value })}
            />
          )}
          {isHttp && (
            <TextInput
              label="Path"
              value={wish.path}
              onChange={(event) => set({ path: event.currentTarget.value })}
              spellCheck={false}
            />
          )}
        </div>
        <div>
          <Button type="submit" variant="default" loading={isBusy} disabled={clusters.length === 0}>
            Explain
          </Button>
        </div>
      </form>
      <div aria-live="polite" className="stack" style={{ marginTop: answer || problem ? 12 : 0 }}>
        {problem && <ProblemNote problem={problem} />}
        {answer && (
          <>
            <LevelMark level={answer.allowed ? 'healthy' : 'failing'} text={answer.outcome} />
            <ol className="explain-steps">
              {answer.steps.map((step, index) => (
                <li key={index}>
                  <span className="dim">{step.stage}</span>
                  <span className="wrap">{step.text}</span>
                </li>
              ))}
            </ol>
            <p className="small dim">
              {answer.gateway != null
                ? `As gateway ${answer.gateway} sees it`
                : 'As the bridge sees it: no gateway answered, so health is not known'}
              , revision {answer.revision}
            </p>
          </>
        )}
      </div>
    </Panel>
  );
}
