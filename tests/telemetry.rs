//! Traces, metrics and logs as receivers of other makers get them: the real program exports, and the spans are read back.

mod exported;
mod receivers;
mod traces;
mod transports;
