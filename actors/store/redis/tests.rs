//! The store against real servers: see `store/contract.rs` for what it shares with others.

pub(crate) mod server;
