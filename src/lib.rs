//! The layers, from the inside out. `tests/tidy.rs` checks which layers each of them may use.
//!
//! | layer | contents |
//! |---|---|
//! | [`analysis`] | languages and text; no path, no disk, no async |
//! | [`workspace`] | the disk: the only part that reads analysed code |
//! | `tools` | the tools, over both of them and the trait in `actors::tool` |
//! | `answer`, `service` | from a name and arguments to an answer, over `actors::sessions` |
//! | `server`, `cli` | a protocol or a person on top of `service` |
//! | `config`, `startup` | the settings, and how the parts are started |
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
