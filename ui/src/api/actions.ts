// What the page can change. Each is first asked with `dryRun`, and the API says what would happen
// and which command does the same.

import type { components } from '../api.gen';
import { api, take } from './request';
import type {
  Convergence,
  DrainResult,
  Explanation,
  JoinTokenIssued,
  Reverted,
  Shifted,
  Written,
} from './views';

type ExplainRequest = components['schemas']['ExplainRequest'];
type Options = { dryRun?: 'server'; reason?: string };

function query(isPreview: boolean, reason: string): Options {
  return { dryRun: isPreview ? 'server' : undefined, reason: reason.trim() || undefined };
}

export function shift(
  namespace: string,
  name: string,
  weights: Record<string, number>,
  isPreview: boolean,
  reason = '',
): Promise<Shifted> {
  return take<Shifted>(
    api.POST('/api/v1/namespaces/{namespace}/services/{name}', {
      params: { path: { namespace, name: `${name}:shift` }, query: query(isPreview, reason) },
      body: { weights },
    }),
  );
}

export function drain(
  name: string,
  verb: 'drain' | 'undrain',
  isPreview: boolean,
  reason = '',
): Promise<DrainResult> {
  return take(
    api.POST('/api/v1/clusters/{name}', {
      params: { path: { name: `${name}:${verb}` }, query: query(isPreview, reason) },
    }),
  );
}

export function revert(revision: string, isPreview: boolean, reason = ''): Promise<Reverted> {
  return take(
    api.POST('/api/v1/revisions/{name}', {
      params: { path: { name: `${revision}:revert` }, query: query(isPreview, reason) },
    }),
  );
}

export function convergence(revision: string): Promise<Convergence> {
  return take(api.GET('/api/v1/convergence', { params: { query: { revision } } }));
}

export function explain(body: ExplainRequest): Promise<Explanation> {
  return take(api.POST('/api/v1/explain', { body }));
}

export function createCluster(name: string, region: string): Promise<Written> {
  return take(
    api.PUT('/api/v1/clusters/{name}', {
      params: { path: { name } },
      body: {
        apiVersion: 'rialto.dev/v1alpha1',
        kind: 'Cluster',
        metadata: { name },
        spec: region === '' ? {} : { region },
      } as never,
    }),
  );
}

export type Platform = components['schemas']['JoinTokenRequest']['platform'];

export function issueToken(cluster: string, platform: Platform): Promise<JoinTokenIssued> {
  return take(
    api.POST('/api/v1/jointokens', {
      params: { query: {} },
      body: { cluster, platform, role: 'agent', ttl: '15m' },
    }),
  );
}
