//! Every bound of every package in one place, with its unit and its reason.
//!
//! What is no bound is elsewhere: sizes of formats beside their decoders, and the demo's own
//! numbers in the demo.

use std::time::Duration;

// text

/// Characters of a bad input that an error repeats: enough to recognise it, too few to flood a log.
pub const ERROR_TEXT_CHARS_MAX: usize = 120;
/// Bytes of all labels, or all annotations, of one object (Kubernetes allows 256 KiB in all).
pub const METADATA_BYTES_MAX: usize = 64 * 1024;

// resources

/// Clusters of one federation: a snapshot names each of them.
pub const CLUSTERS_MAX: usize = 1_000;
/// Services that one cluster may report; the state is held in memory by every member.
pub const SERVICES_PER_CLUSTER_MAX: usize = 10_000;
/// Ports of one service, as a ServiceImport of Kubernetes.
pub const PORTS_PER_SERVICE_MAX: usize = 64;
/// Endpoints of one headless service and cluster that DNS answers by name.
pub const HEADLESS_ENDPOINTS_MAX: usize = 1_000;
/// Gateways of one cluster.
pub const GATEWAYS_PER_CLUSTER_MAX: usize = 32;
/// Objects of one kind, so that a list fits in memory and a scan in a millisecond.
pub const OBJECTS_PER_KIND_MAX: usize = 10_000;
/// Backends of one rule (Gateway API: 16).
pub const ROUTE_BACKENDS_MAX: usize = 16;
/// The largest weight (Gateway API: 1,000,000).
pub const ROUTE_WEIGHT_MAX: u32 = 1_000_000;
/// Parents of one route (Gateway API: 32).
pub const ROUTE_PARENTS_MAX: usize = 32;
/// Rules of one route (Gateway API: 16).
pub const ROUTE_RULES_MAX: usize = 16;
/// Matches of one rule, headers or parameters of one match (Gateway API: 64 and 16).
pub const ROUTE_MATCHES_MAX: usize = 64;
/// Targets of one policy (Gateway API: 16).
pub const POLICY_TARGETS_MAX: usize = 16;
/// Rules of one policy, and sources or operations of one rule: evaluated one by one per request.
pub const POLICY_RULES_MAX: usize = 64;
/// Namespaces of one workspace.
pub const WORKSPACE_NAMESPACES_MAX: usize = 1_000;
/// Envoy's overprovisioning factor of 1.4: spill starts below 72 % healthy.
pub const OVERPROVISIONING_PERCENT_DEFAULT: u32 = 140;
/// A virtual IP rests this long before another service gets it: 2 x the DNS time to live + 60 s
/// at the least (reliability.md 44); ten minutes also outlive clients that resolve rarely.
pub const VIP_QUARANTINE: Duration = Duration::from_secs(600);
/// Ports on which gateways listen for imported services, where the platform leads its own addresses
/// there: below the node ports of Kubernetes (30,000) and the ephemeral range of Linux (32,768), so
/// that nothing else takes them.
pub const GATEWAY_PORT_FIRST: u16 = 20_000;
pub const GATEWAY_PORTS_MAX: u16 = 10_000;
/// Revisions whose diff is kept for `history` and `revert`: memory of every member.
pub const HISTORY_ENTRIES_MAX: usize = 1_000;
/// Bytes of those diffs, as JSON: a route may have a megabyte, a thousand of them must not fill a
/// member's memory.
pub const HISTORY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Refused writes and changed reports that the audit keeps. A ring of their own: a chatty agent
/// or a failing script must not push out what `revert` needs.
pub const AUDIT_ENTRIES_MAX: usize = 1_000;
/// Bytes of the reason that a person gives for a change: a sentence or two, kept in the history.
pub const REASON_BYTES_MAX: usize = 1024;
/// Names of changed objects kept so that a watch can resume: about 10 MB at 100 bytes each.
pub const JOURNAL_KEYS_MAX: usize = 100_000;
/// Namespaces that one cluster may report.
pub const NAMESPACES_PER_CLUSTER_MAX: usize = 10_000;
/// Members of the control plane: more than five only cost (design.md 4), two more while replacing.
pub const MEMBERS_MAX: usize = 7;

// join and identity

/// A join token can be redeemed this long unless said otherwise (design.md 5).
pub const JOIN_TOKEN_TTL_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// The longest life of a join token.
pub const JOIN_TOKEN_TTL_MAX: Duration = Duration::from_secs(24 * 3600);
/// Certificates live this long and are renewed at half of it (design.md 8).
pub const CERTIFICATE_TTL: Duration = Duration::from_secs(24 * 3600);
/// The shortest life: half of it is left for a renewal that must be tried again.
pub const CERTIFICATE_TTL_MIN: Duration = Duration::from_secs(10);
/// The longest life: what a stolen key is good for, and how long a control plane may be away twice.
pub const CERTIFICATE_TTL_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Issuer certificates, the anchors of trust domains.
pub const ISSUER_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Clocks may differ by this much: certificates are valid from so long ago.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(300);
/// A difference between two clocks that `check` warns of: a tenth of it, and more than any machine
/// has whose clock is synchronised.
pub const CLOCK_SKEW_WARNING: Duration = Duration::from_secs(30);

/// Certificates of one chain: leaf and issuer, with room for both issuers of a rotation. Counted
/// before any of them is parsed.
pub const CERTIFICATE_CHAIN_MAX: usize = 4;
/// Anchors of one trust domain: the old and the new issuer of a rotation, with room for one undone.
pub const ANCHORS_PER_DOMAIN_MAX: usize = 4;
/// Bytes of a certificate request: an ECDSA P-256 request without names has 200.
pub const CSR_BYTES_MAX: usize = 4 * 1024;
/// Characters of a join token's text: five member addresses of 255 characters, with room.
pub const JOIN_TOKEN_CHARS_MAX: usize = 4 * 1024;

/// Bytes of a file with a certificate chain and its key: under 3 KiB.
pub const SVID_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a file with anchors: `CLUSTERS_MAX` domains of a few anchors of 800 bytes each.
pub const BUNDLE_FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of a small file of our own: addresses of members, or of the gateways last seen.
pub const CONTACTS_FILE_BYTES_MAX: u64 = 64 * 1024;

// REST

/// Bytes of a request body: the largest route has 16 rules of 64 matches.
pub const REST_BODY_BYTES_MAX: usize = 1024 * 1024;
/// A request body must be whole within this time, however slowly it drips: the largest needs
/// 0.6 Mbit/s, and whoever sends nothing holds a connection no longer than with a slow head.
pub const REST_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Items of one page, by default and at most.
pub const REST_PAGE_DEFAULT: usize = 100;
pub const REST_PAGE_MAX: usize = 500;
/// Entries of the history, by default.
pub const REST_HISTORY_DEFAULT: usize = 50;
/// Bytes of one event of a watch: no object of the API is as large.
pub const REST_EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Watches open at once on one member.
pub const REST_WATCHES_MAX: usize = 1_000;
/// Silence after which a watch sends a comment, so that proxies keep it open.
pub const REST_WATCH_KEEPALIVE: Duration = Duration::from_secs(15);
/// A write waits this long for its commit.
pub const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

// what the page shows

/// Bytes of a search: it is compared with every service.
pub const VIEW_SEARCH_BYTES_MAX: usize = 256;
/// Items of the overview that want attention; a person reads the first few.
pub const VIEW_ATTENTION_MAX: usize = 20;
/// Parts of the overview's sentence about clusters: it is one line.
pub const VIEW_SENTENCE_PARTS_MAX: usize = 3;
/// Changes beside something else, as the last ones of the overview.
pub const VIEW_LAST_CHANGES: usize = 10;
/// Entries of the history among which those are looked for.
pub const VIEW_CHANGES_LOOK_BACK: usize = 400;
/// Lines of the view of changes, by default and at most.
pub const VIEW_CHANGES_DEFAULT: usize = 50;
pub const VIEW_CHANGES_MAX: usize = 200;
/// Bytes of the diff of one change: 500 lines, as much as a person scrolls through.
pub const VIEW_DIFF_BYTES_MAX: usize = 32 * 1024;
/// Subjects that one change names: a revert may touch thousands.
pub const VIEW_SUBJECTS_MAX: usize = 50;
/// Services that the map draws one by one before it groups them: more do not fit a screen.
pub const VIEW_UNGROUPED_SERVICES_MAX: usize = 200;
/// Services that it draws one by one if it is told to: a browser lays out so many at once.
pub const VIEW_TOPOLOGY_SERVICES_MAX: usize = 500;
/// Edges of the map, those with the most requests.
pub const VIEW_TOPOLOGY_EDGES_MAX: usize = 1_000;
/// Callers of one service that are listed.
pub const VIEW_CALLERS_MAX: usize = 50;
/// Requests in the time that rates are of, below which errors say nothing of a service.
pub const VIEW_JUDGED_REQUESTS_MIN: u64 = 20;
/// The share of requests that fail from which on a service is degraded: above the noise of
/// restarts, below what callers bear for long.
pub const VIEW_DEGRADED_ERROR_SHARE: f64 = 0.02;
/// The share from which on it is failing: most of its callers get nothing.
pub const VIEW_FAILING_ERROR_SHARE: f64 = 0.5;
/// The share of lost packets from which on a link is degraded: TCP's rate drops by then.
pub const VIEW_DEGRADED_LOSS_SHARE: f64 = 0.01;
/// What a gateway said of its links so long ago is Unknown: a few of its reports are missing.
pub const VIEW_LINK_AGE_MAX: Duration = Duration::from_secs(10);

/// A picture of the federation is this old at most; and for live streams it is made anew after a
/// change no sooner than this, however many follow.
pub const VIEW_AGE_MAX: Duration = Duration::from_secs(1);
pub const VIEW_AGE_MIN: Duration = Duration::from_millis(100);
/// Views that are kept as JSON with one picture: distinct questions of one second.
pub const VIEW_RENDERED_MAX: usize = 256;
/// A live stream looks at its views this often.
pub const LIVE_INTERVAL: Duration = Duration::from_secs(1);
/// A view of which only ages changed is sent this often.
pub const LIVE_REFRESH: Duration = Duration::from_secs(5);
/// Silence on a live stream after which it sends a comment: the page tells lost connections by it.
pub const LIVE_HEARTBEAT: Duration = Duration::from_secs(5);
/// Views of one live stream: a page shows a few at once.
pub const LIVE_VIEWS_MAX: usize = 8;

// sessions of browsers

/// A sign-in lasts a working day.
pub const SESSION_TTL: Duration = Duration::from_secs(12 * 3600);
/// Sessions that were ended by signing out and are remembered one by one, of 80 bytes each; beyond
/// it those that signed in first end together.
pub const SESSIONS_ENDED_MAX: usize = 1_024;
/// Bytes of a session's cookie: 250 as it is, with room.
pub const SESSION_COOKIE_BYTES_MAX: usize = 1024;
/// A one-use code to sign in with: long enough to walk to another screen.
pub const SIGN_IN_CODE_TTL: Duration = Duration::from_secs(600);
/// Such codes that one member remembers.
pub const SIGN_IN_CODES_MAX: usize = 64;
/// Failures of one address in `SIGN_IN_WINDOW`, after which it waits: people mistype a few times,
/// and tokens of 256 bits are not guessed at any rate, so this is about load and logs.
pub const SIGN_IN_FAILURES_MAX: u32 = 20;
pub const SIGN_IN_WINDOW: Duration = Duration::from_secs(60);
/// Addresses whose failures are counted one by one.
pub const SIGN_IN_ADDRESSES_MAX: usize = 1_024;

// control streams

/// Bytes of one gRPC message: a full report of 10,000 services of 200 bytes, with room.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A delta is sent in parts of about this many bytes.
pub const DELTA_PART_BYTES: usize = 1024 * 1024;
/// Messages that wait for one subscriber; a full queue closes its stream, which then resumes.
pub const SUBSCRIBER_QUEUE: usize = 64;
/// A part that was not heard for this long is Silent.
pub const LEASE: Duration = Duration::from_secs(6);
/// Parts say that they live this often: three may be lost within one lease.
pub const LEASE_BEAT: Duration = Duration::from_secs(2);
/// A stream on which the other side was silent for so long is ended: a lease, and a second for a
/// sign of life on its way.
pub const STREAM_SILENCE_MAX: Duration = Duration::from_secs(7);
/// As many signs of life are missing then: when this end stood still itself, as a process that was
/// stopped, those of the other end may be waiting to be read.
pub const STREAM_MISSED_MIN: u32 = 3;
/// A part that was silent for so long is not shown any more.
pub const SILENT_FORGOTTEN: Duration = Duration::from_secs(600);
/// A member answers another within this time, or it is named as silent: a person waits for it.
pub const MEMBER_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// A gateway explains within this time, or another one is asked.
pub const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// A member that was asked to pass a question on answers within this time: two gateways' turns.
pub const EXPLAIN_RELAY_TIMEOUT: Duration = Duration::from_secs(2);
/// Questions that wait for one gateway; more are asked elsewhere.
pub const EXPLAIN_QUESTIONS_MAX: usize = 16;
/// First and longest wait between two attempts to connect; jittered.
pub const RECONNECT_BACKOFF_MIN: Duration = Duration::from_millis(100);
pub const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A TLS or gRPC connection is made within this time or given up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// TLS handshakes that a listener has open at once; more wait in the kernel's queue.
pub const HANDSHAKES_MAX: usize = 256;
/// gRPC connections of one member: agents, gateways and DNS proxies of the largest federation that
/// share it; more wait in the kernel's queue.
pub const GRPC_CONNECTIONS_MAX: usize = 4 * 1024;
/// Streams that one gRPC connection has open at once; parts need a handful.
pub const GRPC_STREAMS_MAX: u32 = 256;
/// Silence on a gRPC connection after which it is probed, and how long the answer may take: a dead
/// peer is noticed within two leases even where no lease runs.
pub const GRPC_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
pub const GRPC_KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// A listener that cannot accept (no file descriptor is free) rests this long.
pub const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// A part looks this often whether its certificate has lived half of its life.
pub const RENEWAL_LOOK: Duration = Duration::from_secs(30);
/// Two renewals are at least so far apart: a part whose clock is ahead of the bridge's gets
/// certificates of which half is over already, and would ask without a pause.
pub const RENEWAL_PAUSE: Duration = Duration::from_secs(1);
/// The bridge has decided on a report within this time, or the session is of no use: two commits,
/// because the first may have been for a leader that is gone.
pub const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// At shutdown, calls in flight may take this long to end before their connections are cut.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

// agent

/// Bytes of a static registry file: 10,000 services of 400 bytes.
pub const STATIC_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How often a static registry file is looked at: one `stat` a second costs nothing measurable,
/// and a change is live sooner than a person can look.
pub const STATIC_FILE_POLL: Duration = Duration::from_secs(1);
/// A change within this time of the last look may hide behind an equal time stamp, so that the file
/// is read once more: no file system in use has coarser stamps.
pub const STATIC_FILE_TIME_STAMP_GRAIN: Duration = Duration::from_secs(2);
/// Faults of one static registry file that are shown; a broken file tends to repeat itself.
pub const STATIC_FILE_FAULTS_MAX: usize = 20;
/// Endpoints, and callers, of one cluster: a large one, with room for what its own parts have.
pub const ENDPOINTS_PER_CLUSTER_MAX: usize = 50_000;
pub const CALLERS_PER_CLUSTER_MAX: usize = 50_000;
/// Bytes of a message with a whole `LocalTable`: both at up to 300 bytes each.
pub const LOCAL_TABLE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A gateway that is gone is still reported this long: longer than a restart, and its peers notice
/// a dead one within seconds by themselves.
pub const GATEWAY_FORGOTTEN: Duration = Duration::from_secs(60);
/// Results of health checks, and gateways' comings and goings, that wait for the agent's loop.
pub const AGENT_EVENTS_MAX: usize = 1_024;
/// Active health checks that run at once; more wait for a free place.
pub const CHECKS_CONCURRENT_MAX: usize = 256;
/// First checks start this far apart, so that many endpoints are not checked in one burst forever.
pub const CHECK_SPACING: Duration = Duration::from_millis(4);
/// Time between two checks of an endpoint: with two failures a dead one is left within 5 s, and
/// the gateways' own outlier ejection is faster still.
pub const CHECK_INTERVAL_DEFAULT: Duration = Duration::from_secs(2);
pub const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(100);
pub const CHECK_INTERVAL_MAX: Duration = Duration::from_secs(3600);
/// A check that takes longer failed; never longer than its interval.
pub const CHECK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// Checks in a row that must fail before an endpoint is left, and succeed before it is used again:
/// one lost packet must not move traffic, one good answer is proof of life.
pub const CHECK_UNHEALTHY_AFTER_DEFAULT: u32 = 2;
pub const CHECK_HEALTHY_AFTER_DEFAULT: u32 = 1;
/// The largest such number.
pub const CHECK_THRESHOLD_MAX: u32 = 100;
/// Bytes of the head of an answer to a health check.
pub const CHECK_HEAD_BYTES_MAX: usize = 16 * 1024;

// agent in Kubernetes

/// The host name of a load balancer is looked up this often, as its records live for a minute or
/// so, and one lookup takes at most this long.
pub const HOST_LOOKUP_INTERVAL: Duration = Duration::from_secs(30);
pub const HOST_LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// What an agent tells of its cluster for people: a dozen findings, with room.
pub const FINDINGS_MAX: usize = 64;
/// Characters of each of its texts: some lines on a terminal.
pub const FINDING_TEXT_CHARS_MAX: usize = 1_000;
/// The agent looks at its cluster this often; a person who repaired something looks again soon.
pub const EXAMINE_INTERVAL: Duration = Duration::from_secs(15);
/// One look at a resolver or gateway takes at most this long, and a resolver is asked so often.
pub const EXAMINE_TIMEOUT: Duration = Duration::from_secs(2);
pub const EXAMINE_ATTEMPTS: u32 = 2;
/// Connections by which a Service's gateways are asked for the source address that they see: each
/// goes to any of them.
pub const EXAMINE_PROBES: usize = 4;
/// Bytes of a gateway's answer: an address and the head of an HTTP answer.
pub const EXAMINE_ANSWER_BYTES_MAX: u64 = 4 * 1024;
/// Objects of one kind that an agent holds: what it may report, with pods and slices that do not
/// count as endpoints or callers.
pub const KUBERNETES_OBJECTS_MAX: usize = 50_000;
/// Objects of one page of a list, as kubectl and client-go.
pub const KUBERNETES_PAGE_OBJECTS: usize = 500;
/// Bytes of one answer: a page of pods of 20 KiB, with room.
pub const KUBERNETES_ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of one object in a watch: etcd takes 1.5 MiB, JSON is larger than what it holds.
pub const KUBERNETES_OBJECT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A request to the API server, watches excepted, has ended after this time.
pub const KUBERNETES_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The server ends a watch after this time at the latest, so that load spreads over its replicas.
pub const KUBERNETES_WATCH_MAX: Duration = Duration::from_secs(300);
/// A watch that ends sooner than this counts as trouble, and no two begin within it.
pub const KUBERNETES_WATCH_MIN: Duration = Duration::from_secs(1);
/// The longest wait between two attempts, also when the API server asks for more.
pub const KUBERNETES_WAIT_MAX: Duration = Duration::from_secs(60);
/// Objects that are written at once: few beside the 200 changes that an API server has under way by
/// default.
pub const KUBERNETES_STEPS_AT_ONCE: usize = 8;
/// How often it is looked whether a kind that the cluster did not have is there.
pub const KUBERNETES_ABSENT_LOOK: Duration = Duration::from_secs(30);
/// A control plane that was wrong of the agent's own node may be wrong of others for so long: a
/// kubelet is heard every 10 s, and slices follow pods.
pub const KUBERNETES_DOUBT: Duration = Duration::from_secs(60);
/// What we wrote into the cluster is looked at this often, besides at each change.
pub const KUBERNETES_REWRITE: Duration = Duration::from_secs(30);
/// The address of a deleted Service is free a moment after the Service is gone: so often, and this
/// long apart, it is asked for before another one is taken.
pub const KUBERNETES_ADDRESS_TRIES: u32 = 5;
pub const KUBERNETES_ADDRESS_PAUSE: Duration = Duration::from_millis(400);
/// Seconds that a client stays with an endpoint where a Service does not say (Kubernetes: 3 hours).
pub const KUBERNETES_AFFINITY_S_DEFAULT: u32 = 10_800;
/// Things that one finding names, so that it stays a line.
pub const FINDING_ITEMS_MAX: usize = 8;
/// A pod of another cluster answers in this time, or is not reached: as a slow first packet.
pub const POD_PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Characters of a condition's message, as Kubernetes has them.
pub const KUBERNETES_MESSAGE_CHARS_MAX: usize = 32_768;
/// Endpoints of one EndpointSlice, as Kubernetes' own controller.
pub const SLICE_ENDPOINTS_MAX: usize = 100;
/// The local table is kept on disk at most this often: what is newer than the kept one is told
/// again by the agent.
pub const LOCAL_TABLE_KEEP: Duration = Duration::from_secs(1);
/// Changes wait this long for others, so that a rollout is folded in some tens of steps.
pub const KUBERNETES_SETTLE: Duration = Duration::from_millis(20);
/// Changes of all kinds that wait for the store.
pub const KUBERNETES_UPDATES_MAX: usize = 1_024;
/// A Lease that stood still for so long is free (client-go's default), and how often its holder
/// renews it.
pub const KUBERNETES_LEASE: Duration = Duration::from_secs(15);
pub const KUBERNETES_LEASE_BEAT: Duration = Duration::from_secs(4);

// DNS

/// Time to live of federated answers, in seconds (the MCS DNS specification's example is 4).
pub const DNS_TTL_S: u32 = 5;
/// Bytes of queries that wait in the kernel. It counts some 800 for each, so that 5,000 may come at
/// once: with the system's 208 KiB, 165 of 1,000 were lost. They are read within a tenth of a
/// second, so that none is answered after its client gave up.
pub const DNS_SOCKET_BYTES: usize = 4 * 1024 * 1024;
/// Ports that the system may choose until one is free for both UDP and TCP: few are in use for one.
pub const DNS_PORT_ATTEMPTS_MAX: usize = 100;
/// Bytes of a UDP answer to a client without EDNS (RFC 1035, 2.3.4).
pub const DNS_UDP_BYTES_PLAIN: u16 = 512;
/// Bytes of a UDP answer at most: fits every path unfragmented (DNS flag day 2020).
pub const DNS_UDP_BYTES_MAX: u16 = 1_232;
/// TCP connections of all clients, and of one source address.
pub const DNS_TCP_CONNECTIONS_MAX: usize = 256;
pub const DNS_TCP_CONNECTIONS_PER_SOURCE_MAX: usize = 32;
/// A TCP connection that brings no whole query for this long is closed (RFC 7766, 6.2.3).
pub const DNS_TCP_IDLE: Duration = Duration::from_secs(10);
/// Queries that wait for an upstream resolver, of all clients and of one source address; more get
/// SERVFAIL, so that one flood cannot take the others' places.
pub const DNS_FORWARDS_MAX: usize = 1_024;
pub const DNS_FORWARDS_PER_SOURCE_MAX: usize = 256;
/// Upstream resolvers, each asked once per query, in order.
pub const DNS_UPSTREAMS_MAX: usize = 3;
/// One upstream resolver has this long: three fit in the 5 s that clients wait.
pub const DNS_FORWARD_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Answers with a wrong id or question after which UDP is given up for TCP: somebody is guessing.
pub const DNS_FORGERIES_MAX: usize = 3;
/// Answers in the cache, and bytes of one: at most 32 MiB in all.
pub const DNS_CACHE_ENTRIES_MAX: usize = 8_192;
pub const DNS_CACHE_ENTRY_BYTES_MAX: usize = 4_096;
/// Answers are kept no longer than this, whatever their time to live.
pub const DNS_CACHE_TTL_MAX: Duration = Duration::from_secs(3_600);
/// Negative answers are kept no longer than this (RFC 2308, 5 allows hours; people fix typos).
pub const DNS_CACHE_NEGATIVE_TTL_MAX: Duration = Duration::from_secs(60);

// health and choice

/// Answers of status 5xx in a row after which an endpoint is ejected (Envoy's `consecutive_5xx`).
pub const OUTLIER_ERRORS_MAX: u32 = 5;
/// Refused, broken or timed-out connections in a row after which an endpoint is ejected: fewer,
/// because a process that is gone shows itself at once.
pub const OUTLIER_BREAKS_MAX: u32 = 2;
/// The first ejection; each further one is twice as long.
pub const EJECTION_MIN: Duration = Duration::from_secs(5);
/// The longest ejection (Envoy's `max_ejection_time`).
pub const EJECTION_MAX: Duration = Duration::from_secs(300);
/// Of a service's endpoints in one cluster at most this share is ejected at once, so that a fault
/// that all share does not pile the load on a few.
pub const EJECTED_PERCENT_MAX: usize = 50;
/// An endpoint that comes back gets its full share after this time.
pub const EJECTION_RETURN_RAMP: Duration = Duration::from_secs(10);
/// An endpoint that served this long after its return has its record wiped.
pub const EJECTION_FORGIVEN: Duration = Duration::from_secs(300);
/// Failing endpoints that one gateway remembers; beyond that it ejects no new ones.
pub const OUTLIERS_MAX: usize = 65_536;
/// A gateway tells its peers of its endpoints' health this often, and at once when it changes.
pub const SUMMARY_BEAT: Duration = Duration::from_secs(1);
/// What a peer said of its endpoints this long ago is Unknown: several beats lost.
pub const SUMMARY_AGE_MAX: Duration = Duration::from_secs(5);
/// Service ports that one peer cluster may summarise: its services, with a few ports each.
pub const SUMMARIES_PER_PEER_MAX: usize = 4 * SERVICES_PER_CLUSTER_MAX;
/// A peer gateway that was silent for the longer of this and `PEER_SILENCE_PTOS` probe timeouts is
/// offered nothing (design.md 7).
pub const PEER_SILENCE_MIN: Duration = Duration::from_secs(1);
/// Probe timeouts (RFC 9002, section 6.2) of silence.
pub const PEER_SILENCE_PTOS: u32 = 3;
/// Health notices that wait for their reader; the oldest gives way.
pub const HEALTH_NOTICES_MAX: usize = 1_024;
/// Records of one kind in a DNS answer: 64 KiB of TCP message hold them with their addresses.
pub const DNS_RECORDS_MAX: usize = 256;

// HTTP/1.1 through the gateway

/// Bytes of a head; nginx takes 32 KiB, Envoy 60 KiB.
pub const HTTP_HEAD_BYTES_MAX: usize = 48 * 1024;
/// Fields of a head: they are parsed into memory on the stack.
pub const HTTP_FIELDS_MAX: usize = 128;
/// Names in Connection: each is compared with every field of the head.
pub const HTTP_CONNECTION_OPTIONS_MAX: usize = 16;
/// Bytes of all chunk extensions of one content: hardly anyone sends any, and they are relayed.
pub const HTTP_CHUNK_EXTENSION_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a trailer section: it is held back until all of it is verified.
pub const HTTP_TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Interim (1xx) responses before the final one.
pub const HTTP_INTERIM_RESPONSES_MAX: usize = 8;
/// A head that has begun must be whole within this time, however slowly it drips.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// A client connection without a request is closed after this time: longer than the usual 60 s of
/// clients' pools, so that the client, who knows whether it wants another request, closes first.
pub const HTTP_CLIENT_IDLE: Duration = Duration::from_secs(75);
/// While the gateway stops, an idle client connection is closed after this time: who was about to
/// send gets an answer, and with it the word that the connection closes.
pub const HTTP_DRAIN_IDLE: Duration = Duration::from_secs(1);
/// A content of which nothing moves for this long, in either direction, is given up.
pub const HTTP_CONTENT_IDLE: Duration = Duration::from_secs(60);
/// A response's head is awaited this long unless a route says otherwise: slow reports are normal,
/// and a dead peer is seen by other means within seconds.
pub const HTTP_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Idle connections kept to one endpoint, and to all endpoints of a worker.
pub const HTTP_ORIGIN_IDLE_PER_ENDPOINT_MAX: usize = 256;
pub const HTTP_ORIGIN_IDLE_MAX: usize = 4_096;
/// An idle connection to an endpoint is closed after this time: below the 5 s of Node.js, the
/// shortest keep-alive of common servers, so that we close first.
pub const HTTP_ORIGIN_IDLE: Duration = Duration::from_secs(4);
/// Bytes read from a socket at once.
pub const HTTP_READ_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a request's content that are kept to send them again (design.md 7).
pub const REPLAY_BYTES_MAX: usize = 64 * 1024;
/// Attempts at one request, the first included.
pub const HTTP_ATTEMPTS_MAX: u32 = 4;
/// Share of the requests, in percent, that may be sent again after they may have been delivered:
/// a service that fails for everyone must not get a multiple of its load. What was certainly not
/// delivered is tried elsewhere without counting, because that adds no load.
pub const RETRY_BUDGET_PERCENT: u32 = 20;
/// Such retries that may come at once: a busy minute of a small service.
pub const RETRY_BUDGET_BURST: u32 = 50;
/// A far gateway that has neither accepted nor refused after the longer of this and
/// `SILENCE_ROUND_TRIPS` is passed over (design.md 3).
pub const SILENCE_MIN: Duration = Duration::from_millis(200);
pub const SILENCE_ROUND_TRIPS: u32 = 3;
/// The same where the peer is heard and only its answer is late: its endpoints get a second each.
pub const SLOW_ANSWER_TIME_MAX: Duration = Duration::from_millis(1_500);
/// After an answer that closes the connection, what the client still sends is read and dropped up
/// to these bounds, so that a reset does not destroy the answer on its way.
pub const HTTP_LINGER: Duration = Duration::from_secs(2);
pub const HTTP_LINGER_BYTES_MAX: usize = 256 * 1024;

// tunnel

/// UDP payload that path discovery probes for: Ethernet's 1,500 less IPv4 and UDP headers.
pub const TUNNEL_MTU_MAX: u16 = 1_472;
/// How often a connection is looked at for silence and its window set to the path: a tenth of the
/// silence that ends it.
pub const TUNNEL_WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// A quarter of the silence bound, so that three probes are lost before a peer counts as dead.
pub const TUNNEL_KEEP_ALIVE: Duration = Duration::from_millis(250);
/// QUIC's own timer, in milliseconds, is only the net below the watch, which knows when this
/// process was stopped.
pub const TUNNEL_IDLE_TIMEOUT_MS: u32 = 10_000;
/// RFC 9002 6.2.2 recommends 333 ms for a path of which nothing is known. Rialto's paths are
/// shorter, and a lost first packet waits three times this.
pub const TUNNEL_INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Paths shorter than this keep the small send window: a large one only costs cache.
pub const TUNNEL_SHORT_PATH: Duration = Duration::from_millis(3);
/// UDP socket buffers: with the system's default a burst loses packets (dependencies.md 5).
pub const TUNNEL_SOCKET_BUFFER_BYTES: usize = 8 * 1024 * 1024;
/// Bytes sent and not acknowledged, per connection, on a short path: more falls out of the cache.
pub const TUNNEL_SEND_WINDOW_BYTES: u64 = 1024 * 1024;
/// The same on a long path: 1 Gbit/s at 100 ms, with as much again to repeat.
pub const TUNNEL_SEND_WINDOW_BYTES_MAX: u64 = 24 * 1024 * 1024;
/// Bytes that one stream may have in flight or unread. 1,500 packets make at most 750 gaps;
/// `quinn` ends the whole connection at 1,024 (tunnel-experiments.md 8.1).
pub const TUNNEL_STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// The same for all streams of a connection: 128 readers must stall before they hold up others.
pub const TUNNEL_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024 * 1024;
/// Flows that a peer may have open on one connection.
pub const TUNNEL_STREAMS_MAX: u32 = 4_096;
/// Handshakes under way at once, in all, and so many before addresses must be proved first.
pub const TUNNEL_HANDSHAKES_MAX: usize = 256;
pub const TUNNEL_HANDSHAKES_FREE: usize = 64;
/// From the first packet to the peer's greeting; a lost packet costs up to a second.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);
/// Connections that a gateway dials to each peer gateway, and that it accepts from one.
pub const PEER_CONNECTIONS: usize = 2;
pub const PEER_CONNECTIONS_MAX: usize = 32;
/// Messages that wait for one connection's control stream.
pub const PEER_OUTBOX_MAX: usize = 16;
/// Bytes of one message between gateways: a summary of 10,000 services of 100 bytes.
pub const PEER_MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// From the moment that a peer gateway is known, flows for it wait so long while it is dialled for
/// the first time: handshake and greeting are three round trips of at most 300 ms.
pub const FIRST_DIAL_TIME_MAX: Duration = Duration::from_secs(1);
/// First and longest wait before a peer gateway is dialled again.
pub const DIAL_DELAY_MIN: Duration = Duration::from_millis(50);
pub const DIAL_DELAY_MAX: Duration = Duration::from_secs(2);
/// Bytes of a stream header's fields: the longest SPIFFE ID has 2,048, the rest needs 700.
pub const TUNNEL_HEADER_BYTES_MAX: usize = 4_096;
/// Bytes of the reason in a refusal; it ends up in a log line.
pub const REFUSAL_REASON_BYTES_MAX: usize = 512;
/// Gateways that a flow may pass: the near one, one between two that are behind NAT, the far one.
pub const TUNNEL_HOPS_MAX: u8 = 3;

// traffic figures

/// A gateway tells what it counted this often; also the step of a series: short enough that a
/// person sees a change at once, long enough that a thousand reports a second stay bearable.
pub const TRAFFIC_STEP: Duration = Duration::from_secs(2);
/// Steps that are kept: five minutes, what a person looks back at on a wall. Longer is Prometheus'.
pub const TRAFFIC_STEPS: usize = 150;
/// The time that rates are of unless said otherwise: long enough for a 95th percentile of a slow
/// service, short enough to be called now.
pub const TRAFFIC_RATES_OVER: Duration = Duration::from_secs(30);
/// The longest time that rates can be of: all that is kept.
pub const TRAFFIC_OVER_MAX: Duration = Duration::from_secs(300);
/// A gateway that has not reported for so long is silent: a lease, as for every other part.
pub const TRAFFIC_SILENCE: Duration = LEASE;
/// One interval: a worker that was held up longer than this starts anew, which is a gap.
pub const TRAFFIC_SPAN_MAX: Duration = Duration::from_secs(60);
/// Callers, services, backends and destinations that a gateway tells apart in one report, of 300
/// bytes each as JSON; the rest is summed up.
pub const TRAFFIC_ENTRIES_MAX: usize = 1_024;
/// Peer gateways in one report.
pub const TRAFFIC_LINKS_MAX: usize = 1_024;
/// Reports that wait on a gateway without a bridge: the oldest gives way, and is a gap.
pub const TRAFFIC_REPORTS_WAITING_MAX: usize = 15;
/// Entries that a member keeps of one gateway, of about 120 bytes each: 436 in each of 150 steps.
/// Beyond it the oldest steps go.
pub const TRAFFIC_RING_ENTRIES_MAX: usize = 65_536;
/// Entries that a member keeps of all gateways that report to it, and again of what each other
/// member told it: about 120 MB. Beyond it the gateway with most of them loses its oldest steps.
pub const TRAFFIC_MEMBER_ENTRIES_MAX: usize = 1_000_000;
/// Gateways whose figures one member keeps; more are not taken.
pub const TRAFFIC_GATEWAYS_MAX: usize = 4_096;
/// Bytes of one answer to a member that asks for figures, before the last interval in it; it asks
/// again for the rest.
pub const TRAFFIC_ANSWER_BYTES: usize = 1024 * 1024;
/// Such answers in a row; the rest comes two seconds later.
pub const TRAFFIC_ANSWERS_MAX: usize = 64;
/// Figures of other members are given up if nobody asked for this long: memory.
pub const TRAFFIC_FORGOTTEN: Duration = Duration::from_secs(60);
/// Series of services, backends and destinations in a gateway's metrics, of 25 lines each; the
/// rest is summed up, so that a scrape stays below a megabyte.
pub const TRAFFIC_METRICS_MAX: usize = 256;
/// Flows in one answer of the API: more than a person reads.
pub const TRAFFIC_FLOWS_MAX: usize = 1_000;

// access log

/// Bytes of records that are handed to the writer together, and how long the first one waits.
pub const ACCESS_LOG_BUFFER_BYTES: usize = 32 * 1024;
pub const ACCESS_LOG_DELAY_MAX: Duration = Duration::from_millis(200);
/// Buffers that wait for the writer: 8 MiB, some seconds of a slow disk at full load.
pub const ACCESS_LOG_BUFFERS_MAX: usize = 256;

// command line

/// `install` and `uninstall` look this often whether what they wait for has come.
pub const INSTALL_LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A cluster's garbage collection is done within this time; it takes seconds.
pub const UNINSTALL_CLEAN_MAX: Duration = Duration::from_secs(60);
/// Questions that a cluster's DNS must answer in a row: with three servers of which one does not
/// know yet, one in 26 passes by chance.
pub const PROBE_NAMES: usize = 8;
/// Between two looks of `--wait`: below what a person notices, far above what a look costs.
pub const WAIT_LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Between two attempts of `get --watch` to reach the bridge again.
pub const WATCH_RECONNECT_DELAY: Duration = Duration::from_secs(1);
/// Changes of an object that `describe` shows, and newest changes among which it looks for them.
pub const DESCRIBE_CHANGES_MAX: usize = 5;
pub const DESCRIBE_LOOK_BACK_MAX: usize = 200;
/// Entries behind the leader above which `check` warns: the member's readers notice.
pub const LAG_WARNING_ENTRIES: u64 = 100;
/// Names that one line of an error or of the history lists: enough to act on, too few to flood.
pub const NAMES_SHOWN_MAX: usize = 5;

// raft

/// The unit of raft's time. An election begins after 1 to 2 s of silence, drawn anew each time:
/// above what a busy disk or a lost packet costs, below what people take for an outage.
pub const RAFT_TICK: Duration = Duration::from_millis(100);
pub const RAFT_ELECTION_TICKS_MIN: usize = 10;
pub const RAFT_ELECTION_TICKS_MAX: usize = 20;
/// A leader speaks this often: four times may be lost before an election.
pub const RAFT_HEARTBEAT_TICKS: usize = 2;
/// A read that got no confirmation is asked again after this many ticks: raft forgets questions
/// without a word when there is no leader, or a new one.
pub const RAFT_READ_RETRY_TICKS: u32 = 5;
/// Snapshot files kept: the newest, and the one before it for an operator who must go back by hand.
pub const RAFT_SNAPSHOTS_KEPT: usize = 2;
/// A segment of the raft log: small enough to fill with zeros in a fraction of an election timeout
/// on a disk of 100 MB/s, large enough that one is made every 30,000 commits.
pub const RAFT_LOG_SEGMENT_BYTES: usize = 16 * 1024 * 1024;
/// A batch is cut into frames of this size, so that a frame and one command always fit a segment.
pub const RAFT_LOG_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// One command: an object, or a full report of one cluster (10,000 services of 200 bytes), with
/// room.
pub const RAFT_COMMAND_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Entries of one append message, unless a single one is larger.
pub const RAFT_APPEND_BYTES_MAX: u64 = 1024 * 1024;
/// One message between members: an append with the largest command, and what surrounds it.
pub const RAFT_MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Append messages on the way to one member; with 1 MiB each, the memory that a slow peer costs.
pub const RAFT_INFLIGHT_APPENDS_MAX: usize = 64;
/// What the leader accepts beyond the last committed entry before it refuses more.
pub const RAFT_UNCOMMITTED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Entries applied in one go, so that messages are answered in between.
pub const RAFT_COMMITTED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Entries applied between two snapshots: what a restart reads again.
pub const RAFT_SNAPSHOT_INTERVAL_ENTRIES: u64 = 10_000;
/// Bytes of commands between two snapshots: memory of every member, which holds them all.
pub const RAFT_SNAPSHOT_INTERVAL_BYTES: usize = 64 * 1024 * 1024;
/// Entries and bytes kept below a snapshot, so that a member that was away shortly needs none.
pub const RAFT_TRAILING_ENTRIES: usize = 2_000;
pub const RAFT_TRAILING_BYTES: usize = 16 * 1024 * 1024;
/// A snapshot file; sender and receiver hold one in memory.
pub const RAFT_SNAPSHOT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Pieces in which a snapshot file travels.
pub const RAFT_SNAPSHOT_CHUNK_BYTES: usize = 256 * 1024;
/// A learner this many entries behind, or fewer, may be promoted: it catches up within a second.
pub const RAFT_PROMOTE_LAG_MAX: u64 = 1_000;
/// Events waiting for the raft thread; above it messages are dropped and callers told to wait.
pub const RAFT_EVENTS_MAX: usize = 4_096;
/// Proposals and reads of this member in the air; fewer than the events, so peers always get in.
pub const RAFT_REQUESTS_MAX: usize = 2_048;
/// Events handled before one flush: the size of a group commit.
pub const RAFT_EVENTS_PER_BATCH_MAX: usize = 512;
/// Messages waiting for one peer; above it they are dropped and the peer is probed.
pub const RAFT_PEER_QUEUE_MAX: usize = 1_024;
/// Between two attempts to reach a member. Few members, so no herd: a fraction of an election.
pub const RAFT_RECONNECT_DELAY: Duration = Duration::from_millis(200);
/// Messages handed to a connection and not yet sent; the rest waits in the peer's queue.
pub const RAFT_CONNECTION_QUEUE_MAX: usize = 16;
/// A snapshot is sent and restored within this time, or begun anew: 256 MiB at 20 Mbit/s.
pub const RAFT_SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a caller whose leader is gone looks for the next one.
pub const RAFT_LEADER_RETRY_DELAY: Duration = Duration::from_millis(100);

// flows

/// Flows of one worker, near and far: each holds a socket and some KiB.
pub const FLOWS_MAX: usize = 32_768;
/// Gateways and endpoints that one TCP flow tries before it is given up.
pub const FLOW_ATTEMPTS_MAX: u32 = 6;
/// From a caller's connection to the answer of some gateway or endpoint.
pub const FLOW_OPEN_TIME_MAX: Duration = Duration::from_secs(10);
/// Tasks that have served a peer's stream and wait for the next: a busy moment of a core.
pub const STREAM_SERVERS_IDLE_MAX: usize = 64;
/// A stream that a peer opened must show its header within this time.
pub const STREAM_HEADER_TIME_MAX: Duration = Duration::from_secs(5);
/// An endpoint in the own cluster takes a connection within this time or is passed over.
pub const ENDPOINT_CONNECT_TIME_MAX: Duration = Duration::from_secs(1);
/// Endpoints that the far gateway tries before it refuses.
pub const ENDPOINT_ATTEMPTS_MAX: usize = 3;
/// Reads of so many bytes are copied out of the worker's buffer: in a microsecond at most, where a
/// buffer of their own would be mostly empty.
pub const READ_COPIED_BYTES_MAX: usize = 8 * 1024;
/// Bytes that a relay reads from a socket at once.
pub const RELAY_READ_BYTES_MAX: usize = 64 * 1024;
/// A TCP connection of which nothing was heard is probed after this time, and again every quarter.
pub const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// Connections that wait to be accepted on one listener.
pub const LISTEN_BACKLOG: i32 = 4_096;
/// How often a worker looks at its peers and lets time pass for health: a tenth of the silence
/// after which a peer is dead.
pub const WORKER_TICK: Duration = Duration::from_millis(100);
/// How long a new flow in Kubernetes waits for its source address to be known: the API server tells
/// of a pod within milliseconds of its address, and a busy one within a second.
pub const CALLER_WAIT_MAX: Duration = Duration::from_secs(1);
/// Source addresses that were waited for in vain, and for how long they are not waited for again:
/// clients on a node's network, a few per node.
pub const STRANGERS_MAX: usize = 1_024;
pub const STRANGER_FORGOTTEN: Duration = Duration::from_secs(10);
/// Listeners that could not be opened are tried again this often: a person has just routed the
/// range and waits.
pub const LISTEN_RETRY: Duration = Duration::from_secs(5);
/// How often it is checked whether a peer's certificate has ended: as long as the shortest life.
pub const CERTIFICATE_LOOK: Duration = CERTIFICATE_TTL_MIN;
/// The debug page waits for the worker this long: a person waits for it.
pub const INSPECT_TIME_MAX: Duration = Duration::from_secs(1);
/// Commands that wait for one worker.
pub const WORKER_COMMANDS_MAX: usize = 32;
