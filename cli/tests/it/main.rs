//! One integration target.
