//! Every decision of Rialto, pure: no clock, no socket, no random draw, no async.
//!
//! ```text
//!  Command ---> state::apply ---> State ---> compile ---> entries of one cluster's snapshot
//!               (every member     |          (bridge)     and the problems found
//!                does the same)   +--> documents, history
//!
//!  snapshot, LocalTable, Health, request, draw ---> choose (gateway), with authorize before
//!                                              |    whoever connects to an endpoint
//!                                              +--> answer (DNS), explain (people)
//!  state, what is heard, figures ---> view (what the page shows)
//!  outcomes, peers heard, summaries, time ---> health
//!  streams of parts, reports of members, time ---> heard ---> status, convergence
//! ```
//!
//! What must hold: the same commands give the same state everywhere; a refused command is a value
//! with a reason and changes nothing; `compile` depends on the state alone, not on how it came
//! about.

pub mod answer;
pub mod authorize;
pub mod choose;
pub mod compile;
pub mod explain;
pub mod health;
pub mod heard;
pub mod state;
pub mod traffic;
pub mod view;

#[cfg(test)]
mod transcript;
#[cfg(test)]
mod world;
