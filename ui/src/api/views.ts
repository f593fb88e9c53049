// The views of the API. While api/openapi.json lacks them their types stand here, field for field.

import type { components } from '../api.gen';

type Schemas = components['schemas'];
export type Contact = Schemas['Contact'];
export type MemberStatus = Schemas['MemberStatus'];
export type Problem = Schemas['Problem'];
export type HistoryEntry = Schemas['HistoryEntry'];
export type Explanation = Schemas['Explanation'];
export type Convergence = Schemas['Convergence'];
export type Document = Schemas['Document'];
export type Shifted = Schemas['Written'] & { command?: string };
export type Reverted = Schemas['HistoryEntry'] & { command?: string };
export type DrainResult = Schemas['DrainResult'] & { command?: string };
export type Written = Schemas['Written'];
export type JoinTokenIssued = Schemas['JoinTokenIssued'];

export type Level = 'healthy' | 'degraded' | 'failing' | 'idle' | 'unknown' | 'draining';
export type Maybe<T> = T | null | undefined;

export interface Proportions {
  healthy: number;
  degraded: number;
  failing: number;
  idle: number;
  unknown: number;
  draining: number;
}
export interface Rates {
  requestsPerSecond: number;
  errorsPerSecond: number;
  errorShare: number;
  p50Ms?: number | null;
  p95Ms?: number | null;
  p99Ms?: number | null;
  bytesPerSecond: number;
}
export interface Series {
  stepMs: number;
  endAgeMs: number;
  requestsPerSecond: (number | null)[];
  errorsPerSecond: (number | null)[];
  p95Ms: (number | null)[];
}
export interface Gap {
  member?: string | null;
  gateway?: string | null;
  cluster?: string | null;
  text: string;
}
export interface Ref {
  kind: string;
  namespace?: string | null;
  name: string;
  cluster?: string | null;
}

export interface Session {
  actor: string;
  expiresAt: string;
  csrf: string;
  federation: string;
  version: string;
}

export interface ChangeLine {
  revision: string;
  time: string;
  ageMs: number;
  actor: string;
  reason?: string | null;
  summary: string;
  refused?: string | null;
  subjects: Ref[];
  diff?: string | null;
  undo?: { to: string; command: string } | null;
}
export interface Attention {
  level: Level;
  subject: Ref;
  title: string;
  detail: string;
  since?: string | null;
  sinceMs?: number | null;
  services: number;
  requestsPerSecond?: number | null;
  command?: string | null;
  lastChange?: ChangeLine | null;
}
export interface GatewayLine {
  id: string;
  role: 'gateway' | 'dns';
  level: Level;
  text: string;
  contact: Contact;
  acked?: string | null;
  behind: boolean;
  refused?: string | null;
  address?: string | null;
}
export interface ClusterCard {
  name: string;
  level: Level;
  text: string;
  region?: string | null;
  drained: boolean;
  agent: Contact;
  gateways: GatewayLine[];
  dns: GatewayLine[];
  services: Proportions;
  rates?: Rates | null;
}
export interface Overview {
  revision: string;
  sentence: string;
  level: Level;
  since?: string | null;
  sinceMs?: number | null;
  services: Proportions;
  clusters: ClusterCard[];
  attention: Attention[];
  attentionOmitted: number;
  traffic: { now?: Rates | null; series: Series; remoteShare?: number | null };
  changes: ChangeLine[];
  members: MemberStatus[];
  gaps: Gap[];
}
export interface ServiceRow {
  namespace: string;
  name: string;
  workspace?: string | null;
  level: Level;
  text: string;
  clusters: {
    name: string;
    level: Level;
    exported: boolean;
    healthy?: number | null;
    total?: number | null;
    ageMs?: number | null;
  }[];
  ports: string;
  rates?: Rates | null;
  remoteShare?: number | null;
}
export interface NamedCount {
  name: string;
  count: number;
}
export interface Services {
  items: ServiceRow[];
  total: number;
  matched: number;
  continue?: string | null;
  facets: { clusters: NamedCount[]; workspaces: NamedCount[]; levels: Proportions };
  revision: string;
  gaps: Gap[];
}
export interface Backend {
  service: string;
  weight: number;
  share: number;
  level: Level;
  rates?: Rates | null;
}
export interface ServicePage {
  row: ServiceRow;
  dnsName: string;
  virtualIps: { cluster: string; addresses: string[] }[];
  endpoints: {
    cluster: string;
    port: number;
    healthy?: number | null;
    total?: number | null;
    ageMs?: number | null;
    exported: boolean;
    exportedBy?: string | null;
  }[];
  routes: {
    source?: string | null;
    matches: string[];
    port?: number | null;
    backends: Backend[];
  }[];
  shift?: { backends: { name: string; weight: number; share: number }[]; command: string } | null;
  failover: {
    policy?: Ref | null;
    perCluster: {
      from: string;
      order: { cluster: string; level: Level; why: string; share: number }[];
    }[];
  };
  callers: {
    identity?: string | null;
    cluster: string;
    destination?: string | null;
    rates?: Rates | null;
    text: string;
  }[];
  access: {
    open: boolean;
    policies: { ref: Ref; action: string; rules: string[] }[];
    text: string;
  };
  traffic: {
    now?: Rates | null;
    series: Series;
    flows: { from: string; to?: string | null; rates?: Rates | null }[];
  };
  conflicts: string[];
  changes: ChangeLine[];
  gaps: Gap[];
}
export interface GatewayPair {
  from: string;
  to: string;
  connections: number;
  roundTripMs?: number | null;
  lossShare?: number | null;
  ageMs: number;
}
export interface Link {
  from: string;
  to: string;
  level: Level;
  text: string;
  roundTripMs?: number | null;
  lossShare?: number | null;
  rates?: Rates | null;
  gateways: GatewayPair[];
}
export interface Clusters {
  items: ClusterCard[];
  revision: string;
  gaps: Gap[];
}
export interface ClusterPage {
  card: ClusterCard;
  trustDomain: string;
  anchorFingerprint?: string | null;
  exports: number;
  services: ServiceRow[];
  servicesOmitted: number;
  links: Link[];
  changes: ChangeLine[];
  gaps: Gap[];
}
export interface TopoNode {
  id: string;
  label: string;
  kind: 'service' | 'workspace';
  namespace?: string | null;
  name?: string | null;
  workspace?: string | null;
  level: Level;
  services: Proportions;
  rates?: Rates | null;
}
export interface TopoEdge {
  from: string;
  to: string;
  fromCluster: string;
  toCluster: string;
  level: Level;
  rates?: Rates | null;
  text: string;
}
export interface TopoCluster {
  name: string;
  level: Level;
  text: string;
  services: Proportions;
  nodes: TopoNode[];
}
export interface Topology {
  grouped: boolean;
  sentence: string;
  clusters: TopoCluster[];
  edges: TopoEdge[];
  edgesOmitted: number;
  links: Link[];
  revision: string;
  gaps: Gap[];
}
export interface Changes {
  items: ChangeLine[];
  more: boolean;
  oldest: string;
  revision: string;
}
