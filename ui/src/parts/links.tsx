// Where a thing is to be read about. One name, one link, the cluster always said.

import { Link } from '@tanstack/react-router';
import type { Ref } from '../api/views';

export function ServiceLink({
  namespace,
  name,
  cluster,
}: {
  namespace: string;
  name: string;
  cluster?: string | null;
}) {
  return (
    <Link to="/services/$namespace/$name" params={{ namespace, name }} search={{}} className="wrap">
      <span className="dim">{namespace}/</span>
      <span className="strong">{name}</span>
      {cluster ? <span className="dim"> @{cluster}</span> : null}
    </Link>
  );
}

export function ClusterLink({ name }: { name: string }) {
  return (
    <Link to="/clusters/$name" params={{ name }} className="strong wrap">
      {name}
    </Link>
  );
}

export function refName(of: Ref): string {
  const name = of.namespace ? `${of.namespace}/${of.name}` : of.name;
  return `${of.kind} ${name}${of.cluster && of.cluster !== of.name ? ` @${of.cluster}` : ''}`;
}

export function subjectOf(of: Ref): string {
  return of.namespace ? `${of.kind}/${of.namespace}/${of.name}` : `${of.kind}/${of.name}`;
}

/** Parts of the bridge have no page of their own: their name is said, and leads nowhere. */
const PLAIN = new Set(['Member', 'Link', 'JoinToken']);

export function RefLink({ of, text }: { of: Ref; text?: string }) {
  const name = text ?? refName(of);
  if (of.kind === 'Service' && of.namespace)
    return <ServiceLink namespace={of.namespace} name={of.name} cluster={of.cluster} />;
  if (of.kind === 'Cluster' && text === undefined) return <ClusterLink name={of.name} />;
  const cluster = of.kind === 'Cluster' ? of.name : of.cluster;
  if (cluster)
    return (
      <Link to="/clusters/$name" params={{ name: cluster }} className="strong wrap">
        {name}
      </Link>
    );
  if (PLAIN.has(of.kind)) return <span className="wrap">{name}</span>;
  return (
    <Link to="/changes" search={{ subject: subjectOf(of) }} className="wrap">
      {name}
    </Link>
  );
}
