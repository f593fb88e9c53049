//! Every decision of Rialto, pure: no clock, no socket, no random draw, no async.

pub mod choose;
pub mod health;
