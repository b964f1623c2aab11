//! Tests of the service from outside: the real program over its real transports, and the rules of this repository.
//!
//! One binary, so that everything is linked once. A test that needs something missing (a Python, a Node) is skipped
//! with a message, and fails if `CI=true`.

mod attacks;
mod cli;
mod clients;
mod compose;
mod conformance;
mod disk;
mod faults;
mod http;
mod metrics;
mod names;
mod operations;
mod page;
mod readme;
mod redis;
mod reference;
mod stdio;
mod support;
mod telemetry;
#[cfg(target_os = "linux")]
mod terminal;
mod tidy;
#[cfg(target_os = "linux")]
mod unread;
