//! Where a rule loses to a better reason. An exception that nothing needs any more is a finding.

/// Files over 600 product lines.
pub(super) const LONG_FILES: &[(&str, &str)] = &[];

/// Functions over 70 lines.
pub(super) const LONG_FUNCTIONS: &[(&str, &str)] =
    &[("api/wire/src/rest/routes.rs: action_routes", "a table of routes, one entry each")];

/// Files of tests that wait for a process or a kernel, which give no event to wait for.
pub(super) const WAITS: &[(&str, &str)] =
    &[("gateway/src/http1/exchange/tests.rs", "a silence of one millisecond is what is tested")];

/// Where gRPC's own types are at home: a service's two ends, and the loop that opens a stream.
pub(super) const GRPC: &[&str] = &[
    "api/wire/src/",
    "bridge/src/raft/transport",
    "bridge/src/service",
    "bridge/src/members",
    "bridge/src/run",
    "agent/src/feed",
    "agent/src/link",
    "agent/src/control",
    "gateway/src/control",
];

/// Where YAML is read or written: what people write and read.
pub(super) const YAML: &[&str] =
    &["agent/src/provider/static_file", "agent/src/config", "api/wire/src/diff", "cli/src/"];

/// Where system calls are made.
pub(super) const SYSTEM: &[&str] = &["gateway/src/", "agent/src/", "dns/src/listen", "cli/src/"];
