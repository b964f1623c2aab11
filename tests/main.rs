//! The service from outside: the real program over its real transports, and the rules of the house.
//!
//! One binary, so that the whole is linked once. What needs something that is not here (a Python, a Node) is skipped
//! with a line that says so, and fails where `CI=true`.

mod attacks;
mod cli;
mod clients;
mod compose;
mod conformance;
mod disk;
mod faults;
mod http;
mod names;
mod readme;
mod redis;
mod reference;
mod stdio;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
mod tidy;
#[cfg(target_os = "linux")]
mod unread;
