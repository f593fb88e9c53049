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

export function RefLink({ of }: { of: Ref }) {
  if (of.kind === 'Service' && of.namespace)
    return <ServiceLink namespace={of.namespace} name={of.name} cluster={of.cluster} />;
  if (of.kind === 'Cluster') return <ClusterLink name={of.name} />;
  if (of.cluster)
    return (
      <Link to="/clusters/$name" params={{ name: of.cluster }} className="wrap">
        {refName(of)}
      </Link>
    );
  return (
    <Link to="/changes" search={{ subject: subjectOf(of) }} className="wrap">
      {refName(of)}
    </Link>
  );
}
