//! The layers, from the inside out. What each may know of the others is held by `tests/tidy.rs`.
//!
//! | layer | knows |
//! |---|---|
//! | [`analysis`] | languages and text; no path, no disk, no async |
//! | [`workspace`] | the disk: the only part that reads analysed code |
//! | `tools` | both of them, and the port `actors::tool` |
//! | `answer`, `service` | from a name and arguments to an answer, over `actors::sessions` |
//! | `server`, `cli` | a protocol or a person on top of `service` |
//! | `config`, `startup` | what all of it runs with, and how it is put together |
pub mod analysis;
#[cfg(feature = "server")]
pub mod answer;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod startup;
#[cfg(feature = "server")]
pub mod tools;
pub mod workspace;
