//! Supervised, recoverable sessions. This crate knows no grammar and no protocol: tools come in through [`tool::Tool`].
//!
//! # The tree
//!
//! ```text
//! Root                     fails after 10 escalations in 60 s: the process then ends and is started again
//! ├─ store                 supervises persistence; 5 restarts in 10 s, exponential backoff
//! │   └─ persistence:0…    commits sessions to the store, several at a time
//! ├─ sessions:0…15         each supervises the sessions assigned to it by id; no other actor spawns sessions
//! │   └─ session:<id>      3 failures in 60 s, then quarantine
//! ├─ registry              which session is awake, and where; starts empty, asks the supervisors
//! ├─ cache                 values by key; starts empty, loses only speed
//! └─ pool                  runs tools; its table of jobs is owned above the tree
//! ```
//!
//! # One call
//!
//! [`Sessions::call`](sessions::Sessions::call) mints a request id and asks the `registry` for the session. A sleeping
//! session is started by its supervisor. The `session` runs its pure state machine, sends the change to `persistence`
//! and the job to the `pool`, and receives `Job` and `Commit` messages in return. Once the store has acknowledged the
//! outcome, the session applies the change and replies.
//!
//! # One crash
//!
//! When a session dies, its supervisor starts it again. The session loads its state, applies the committed changes,
//! adopts the jobs that still run, and reruns the ones that do not. The crash closed the caller's reply port, so
//! `Sessions::call` asks again under the same request id: it is attached to the running job, or answered from the
//! stored result. The top of each actor's file says what survives a crash of that actor.

mod activity;
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
mod watch;

pub use clock::Clock;
pub use faults::{CrashPoint, Fault, Faults};
pub use handle::InjectedFault;
pub use heartbeat::Announcement;
pub use options::{Limits, Options};
