// A cluster joins: a token, the command to paste, and a line that waits for the agent.

import { Button, Modal, NativeSelect, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { type Platform, createCluster, issueToken } from '../api/actions';
import { views } from '../api/paths';
import { Refused, unreachable } from '../api/request';
import type { ClusterPage, Clusters, JoinTokenIssued, Problem } from '../api/views';
import { age } from '../format';
import { useNow, useView } from '../live/live';
import { Command } from '../parts/command';
import { ContactText } from '../parts/figures';
import { Glyph } from '../parts/level';
import { ClusterLink } from '../parts/links';
import { ProblemNote } from '../parts/panel';

const NEW = '';

export default function JoinDialog({ onClose, only }: { onClose: () => void; only?: string }) {
  const { data } = useView<Clusters>(views.clusters());
  const [chosen, setChosen] = useState(only ?? NEW);
  const [name, setName] = useState('');
  const [region, setRegion] = useState('');
  const [platform, setPlatform] = useState<Platform>('machine');
  const [issued, setIssued] = useState<JoinTokenIssued & { cluster: string }>();
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    const cluster = chosen === NEW ? name.trim() : chosen;
    try {
      if (chosen === NEW) await createCluster(cluster, region.trim());
      setChosen(cluster);
      setIssued({ ...(await issueToken(cluster, platform)), cluster });
    } catch (error) {
      setProblem(error instanceof Refused ? error.problem : unreachable());
    } finally {
      setBusy(false);
    }
  };

  return (
    <Modal
      opened
      onClose={onClose}
      title={only ? `Join token for ${only}` : 'Join a cluster'}
      size="lg"
    >
      <div className="dialog">
        {!issued && (
          <form className="dialog" onSubmit={(event) => void submit(event)}>
            {!only && (
              <div className="form-grid">
                <NativeSelect
                  label="Cluster"
                  value={chosen}
                  onChange={(event) => setChosen(event.currentTarget.value)}
                  data={[
                    { value: NEW, label: 'A new cluster' },
                    ...(data?.items ?? []).map((card) => ({ value: card.name, label: card.name })),
                  ]}
                />
                {chosen === NEW && (
                  <TextInput
                    label="Its name"
                    data-autofocus
                    required
                    placeholder="north"
                    value={name}
                    onChange={(event) => setName(event.currentTarget.value)}
                    spellCheck={false}
                  />
                )}
                {chosen === NEW && (
                  <TextInput
                    label="Region (optional)"
                    placeholder="eu"
                    value={region}
                    onChange={(event) => setRegion(event.currentTarget.value)}
                    spellCheck={false}
                  />
                )}
              </div>
            )}
            <NativeSelect
              label="It runs on"
              value={platform}
              onChange={(event) => setPlatform(event.currentTarget.value as Platform)}
              data={[
                { value: 'machine', label: 'Machines: a command to paste on one of them' },
                { value: 'kubernetes', label: 'Kubernetes: the Helm chart' },
              ]}
            />
            <p className="dim">The token is good for one use and 15 minutes. It is shown once.</p>
            {problem && <ProblemNote problem={problem} />}
            <div className="dialog-foot">
              <Button variant="default" size="sm" onClick={onClose}>
                Cancel
              </Button>
              <Button type="submit" size="sm" loading={isBusy}>
                Make a token
              </Button>
            </div>
          </form>
        )}
        {issued && <Issued issued={issued} onClose={onClose} />}
      </div>
    </Modal>
  );
}

function Issued({
  issued,
  onClose,
}: {
  issued: JoinTokenIssued & { cluster: string };
  onClose: () => void;
}) {
  const now = useNow();
  const { data, at } = useView<ClusterPage>(views.cluster(issued.cluster));
  const left = Date.parse(issued.expiresAt) - now;
  const isHeard = data?.card.agent.state === 'Connected';
  return (
    <>
      <p>
        Run this where <strong>{issued.cluster}</strong> joins:
      </p>
      <Command text={issued.command} label="join command" />
      <div className="waiting" data-done={isHeard} role="status">
        <Glyph level={isHeard ? 'healthy' : 'unknown'} />
        {isHeard && data ? (
          <span>
            The agent of <ClusterLink name={issued.cluster} /> is there:{' '}
            <ContactText contact={data.card.agent} at={at} />, {data.card.gateways.length} gateways,{' '}
            {data.card.dns.length} DNS proxies.
          </span>
        ) : (
          <span>
            Waiting for the agent of <strong>{issued.cluster}</strong>.{' '}
            {left > 0
              ? `The token can be used for ${age(left)} more.`
              : 'The token has expired: make a new one.'}
          </span>
        )}
      </div>
      <div className="dialog-foot">
        <Button size="sm" data-autofocus onClick={onClose}>
          Close
        </Button>
      </div>
    </>
  );
}
