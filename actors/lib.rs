//! Supervised, recoverable sessions. Knows no grammar and no protocol: tools come in through [`tool::Tool`].
//!
//! # The tree
//!
//! ```text
//! Root                     gives up after 10 escalations in 60 s: the process then ends and is started afresh
//! ├─ store                 supervises persistence; 5 restarts in 10 s, exponential backoff
//! │   └─ persistence:0…    commits sessions to the store, several at a time
//! ├─ sessions:0…15         each supervises the sessions that fall to it by id; the only ones that spawn sessions
//! │   └─ session:<id>      3 failures in 60 s, then quarantine
//! ├─ registry              which session is awake, and where; starts empty, asks the supervisors
//! ├─ cache                 values by key; starts empty, loses only speed
//! └─ pool                  runs tools; its table of jobs is owned above the tree
//! ```
//!
//! # One call
//!
//! [`Sessions::call`](sessions::Sessions::call) mints a request id and asks the `registry` for the session, which its
//! supervisor starts where it sleeps. The `session` lets its pure state machine decide, casts the change to
//! `persistence`, hands the job to the `pool`, and hears `Job` and `Commit` as they come. When the commit of the
//! outcome is acknowledged it applies the change and replies.
//!
//! # One crash
//!
//! A session that dies is started again by its supervisor; it loads, folds what was committed, adopts the jobs that
//! still run, and runs again those that do not. Its caller's reply port has closed: `Sessions::call` asks again under
//! the same request id and is attached, or answered from what is stored. What each actor leaves behind when it dies is
//! said at the top of its file.

pub mod cache;
mod clock;
mod concurrent;
pub mod connections;
mod faults;
mod handle;
mod heartbeat;
pub mod ids;
mod leases;
pub mod operator;
mod options;
mod persistence;
mod pool;
mod registry;
pub mod relay;
mod restart;
pub mod results;
mod session;
pub mod sessions;
pub mod status;
pub mod store;
mod supervisor;
pub mod tool;

pub use clock::Clock;
pub use faults::{CrashPoint, Fault, Faults};
pub use handle::Strike;
pub use heartbeat::Announcement;
pub use options::{Limits, Options};
