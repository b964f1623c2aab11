//! MCP over HTTP: every revision, by clients that say each message themselves.

mod connections;
mod sse;
mod streamable;
