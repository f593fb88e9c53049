// The shapes of the API under short names, all of them generated from api/openapi.json.

import type { components } from '../api.gen';

type Schemas = components['schemas'];

export type Maybe<T> = T | null | undefined;

export type Attention = Schemas['Attention'];
export type Backend = Schemas['BackendView'];
export type ChangeLine = Schemas['ChangeLine'];
export type Changes = Schemas['Changes'];
export type ClusterCard = Schemas['ClusterCard'];
export type ClusterPage = Schemas['ClusterPage'];
export type Clusters = Schemas['Clusters'];
export type Contact = Schemas['Contact'];
export type Convergence = Schemas['Convergence'];
export type DrainResult = Schemas['DrainResult'];
export type Explanation = Schemas['Explanation'];
export type Gap = Schemas['Gap'];
export type GatewayLine = Schemas['PartLine'];
export type JoinTokenIssued = Schemas['JoinTokenIssued'];
export type Level = Schemas['Level'];
export type Link = Schemas['Link'];
export type MemberStatus = Schemas['MemberStatus'];
export type Overview = Schemas['Overview'];
export type Problem = Schemas['Problem'];
export type Proportions = Schemas['Proportions'];
export type Rates = Schemas['Rates'];
export type Ref = Schemas['Ref'];
export type Reverted = Schemas['Reverted'];
export type Series = Schemas['Series'];
export type ServicePage = Schemas['ServicePage'];
export type ServiceRow = Schemas['ServiceRow'];
export type Services = Schemas['Services'];
export type Session = Schemas['Session'];
export type Shifted = Schemas['Shifted'];
export type TopoCluster = Schemas['TopologyCluster'];
export type TopoEdge = Schemas['TopologyEdge'];
export type TopoNode = Schemas['TopologyNode'];
export type Topology = Schemas['Topology'];
export type Written = Schemas['Written'];
