//! The signals that end the program.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// Listens for Ctrl-C from its creation on: a key pressed before the first `recv` is not missed, and does not end the
/// process.
pub(super) struct Interrupts(#[cfg(unix)] Signal, #[cfg(windows)] CtrlC);

impl Interrupts {
    /// # Errors
    /// The system refuses the handler.
    pub(super) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self(signal(SignalKind::interrupt())?));
        #[cfg(windows)]
        return Ok(Self(ctrl_c()?));
    }

    pub(super) async fn recv(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// Listens for SIGTERM (on Unix) and Ctrl-C from its creation on.
pub(super) struct EndRequests {
    interrupts: Interrupts,
    #[cfg(unix)]
    terminate: Signal,
}

impl EndRequests {
    /// # Errors
    /// The system refuses a handler.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupts: Interrupts::listen()?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(super) async fn recv(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            () = self.interrupts.recv() => {}
            Some(()) = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        self.interrupts.recv().await;
    }
}
