//! One integration target: what needs several packages, or real processes of the one binary.

mod affinity;
mod agent;
mod bad_input;
mod demo;
mod describe;
mod examples;
mod federation;
mod golden;
mod other_release;
mod page;
mod process;
mod programs;
mod renewal;
mod rest;
mod session;
mod tidy;
mod top;
mod views;
