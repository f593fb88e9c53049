//! Where a rule loses to a better reason. An exception that nothing needs any more is a finding.

/// Files over 600 product lines.
pub(super) const LONG_FILES: &[(&str, &str)] =
    &[("api/types/src/limits.rs", "every bound of every package in one place, one entry each")];

/// Functions over 70 lines.
pub(super) const LONG_FUNCTIONS: &[(&str, &str)] =
    &[("api/wire/src/rest/routes.rs: action_routes", "a table of routes, one entry each")];

/// Files of tests that wait for a process or a kernel, which give no event to wait for.
pub(super) const WAITS: &[(&str, &str)] =
    &[("gateway/src/http1/exchange/tests.rs", "a silence of one millisecond is what is tested")];

/// Where a bound stands beside its use.
pub(super) const BOUNDS: &[(&str, &str)] = &[
    ("cli/src/demo/link.rs", "the size of an Ethernet frame"),
    ("core/src/traffic/ring.rs", "computed from two bounds"),
    ("dns/src/server.rs", "the size of a message by TCP, which has two bytes for its length"),
    ("gateway/src/control.rs", "how long a page for people who debug waits"),
    ("gateway/src/http1/body.rs", "digits of a chunk's size that fit a number"),
    ("gateway/src/http1/head/fields.rs", "digits of a length that fit a number"),
    ("gateway/src/http1/hop.rs", "what the fields that are added need"),
    ("gateway/src/tunnel/quic.rs", "quinn's own settings, which mean nothing outside of it"),
    ("gateway/src/worker/run.rs", "how often the loop looks around, read beside it"),
];

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
