//! MCP over HTTP in every revision, by clients that build each message themselves.

mod admin;
mod chaos;
mod connections;
mod fleet;
mod leaving;
mod nodes;
mod offers;
mod principals;
mod sse;
mod streamable;
mod tls;
