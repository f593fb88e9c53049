//! Every bound of the demo, with its unit and its reason. Those of the product are in
//! `rialto_types::limits`.

use std::time::Duration;

// processes and commands

/// Processes of one demo: twice what it starts.
pub(crate) const PROCESSES_MAX: usize = 64;
/// From the start of a process until it serves: a cold debug build on two busy cores needs some
/// seconds, more is a hang.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(90);
/// Between two looks whether a process serves, or has said what is waited for.
pub(crate) const READY_POLL: Duration = Duration::from_millis(20);
/// One such look: a process on the same machine answers at once or not at all.
pub(crate) const LOOK_TIMEOUT: Duration = Duration::from_secs(1);
/// From SIGTERM to SIGKILL.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a command to the running demo, and of its answer.
pub(crate) const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// A command comes whole within this time, or its client is passed over.
pub(crate) const COMMAND_READ_TIMEOUT: Duration = Duration::from_secs(2);
/// A command is answered within this time: starting a process again waits until it serves.
pub(crate) const COMMAND_ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A client verb ends within this time: the longest `--wait`, and some.
pub(crate) const VERB_TIMEOUT: Duration = Duration::from_secs(75);
/// Between two attempts of a verb or a call that is repeated until it succeeds.
pub(crate) const RETRY_DELAY: Duration = Duration::from_millis(50);
/// A program that is run at a place ends within this time: just below `STEP_TIMEOUT`, so that it
/// is the program that is named.
pub(crate) const PROGRAM_TIMEOUT: Duration = Duration::from_secs(290);
/// The longest time that a command line option of the demo can name.
pub(crate) const DURATION_MAX: Duration = Duration::from_secs(3_600);

// REST from outside

/// Connections at a time from outside of the demo to its REST API.
pub(crate) const FORWARD_CONNECTIONS_MAX: usize = 256;
/// A bridge on the same machine answers at once or not at all.
pub(crate) const FORWARD_CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A listener that cannot accept (no file descriptor is free) rests this long.
pub(crate) const FORWARD_ACCEPT_DELAY: Duration = Duration::from_millis(10);

// link

/// Bytes in front of a rate-limited link: 100 ms at 20 Mbit/s, 2 ms at 1 Gbit/s.
pub(crate) const LINK_QUEUE_BYTES_MAX: usize = 256 * 1024;
/// Bytes on their way over a link: 1 Gbit/s with half a second of delay.
pub(crate) const LINK_UNDER_WAY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of each packet socket of the link: 60 ms of 1 Gbit/s, when the switch does not get a core.
pub(crate) const LINK_SOCKET_BYTES: usize = 8 * 1024 * 1024;
/// Frames moved on one way before the next way gets its turn.
pub(crate) const LINK_BATCH_FRAMES: usize = 64;
/// One way, unless it is changed: 20 ms there and back, like two regions of one continent.
pub(crate) const LINK_DELAY: Duration = Duration::from_millis(10);
/// The switch answers a command within this time.
pub(crate) const LINK_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

// bookstore

/// Bytes of one answer of the bookstore, downloads excepted, and of a body that it takes.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one download from the bookstore.
pub(crate) const DOWNLOAD_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Open requests may take this long to end after SIGTERM.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

// load

/// Requests of one load.
pub(crate) const LOAD_REQUESTS_MAX: u64 = 10_000_000;
/// Connections of one load at a time.
pub(crate) const LOAD_PARALLEL_MAX: usize = 10_000;
/// Answers of a load that wait to be counted; then its workers wait.
pub(crate) const LOAD_OBSERVATIONS_MAX: usize = 1_024;
/// Different reasons of refusals that a report counts, and bytes of one: a sentence or two.
pub(crate) const LOAD_REASONS_MAX: usize = 16;
pub(crate) const LOAD_REASON_BYTES_MAX: usize = 512;
/// A server that refuses at once is not asked a million times a second.
pub(crate) const LOAD_FAILURE_DELAY: Duration = Duration::from_millis(10);
/// From connecting to the end of an answer: a debug build on a busy machine needs ten seconds to
/// sum a large download up.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The system's resolver blocks a thread per name. More of them at a time overflow the socket of
/// any DNS server, and each datagram lost that way costs the resolver's five seconds.
pub(crate) const RESOLVING_MAX: usize = 16;
/// One question to a DNS server, and how often it is asked.
pub(crate) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const RESOLVE_ATTEMPTS: usize = 2;

// story

/// A step that takes longer hangs: the slowest takes 25 s in a debug build on two idle cores.
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_secs(300);
/// One service may take this long until it answers for the first time.
pub(crate) const FIRST_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The oldest news of an agent in a federation where all is well: one sign of life.
pub(crate) const NEWS_AGE_MAX: Duration = Duration::from_secs(2);
/// Writes resume within this time after the leader's death; a used token is refused within it.
pub(crate) const RESUME_TIME_MAX: Duration = Duration::from_secs(20);
/// Traffic that left a cluster is back within this time.
pub(crate) const RETURN_TIME_MAX: Duration = Duration::from_secs(20);
/// A load goes on this long before something is broken under it.
pub(crate) const BEFORE_FAILURE: Duration = Duration::from_secs(1);
/// And this long after: every bound of a failover has passed by then.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(3);
/// Requests that a killed gateway can take with it: one of each connection of the load.
pub(crate) const IN_FLIGHT_MAX: u64 = 4;
