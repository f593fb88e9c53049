//! One integration target: real processes of the one binary.

mod demo;
