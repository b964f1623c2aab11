//! Progress for a person: a line on stderr, only if stderr is a terminal. It is cleared before the result is written.

use std::time::Duration;

use actors::tool::ProgressSink;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Slow enough to read.
const REDRAWS_PER_SECOND: u8 = 10;
/// The spinner moves, so that a person sees that the program runs while nothing is counted.
const TICK: Duration = Duration::from_millis(120);

/// One line with the progress of a call.
pub(super) struct Line(ProgressBar);

impl Line {
    /// Hidden if stderr is not a terminal.
    pub(super) fn new() -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style("{spinner} {msg} {pos}"));
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }

    pub(super) fn sink(&self) -> ProgressSink {
        if self.0.is_hidden() {
            return ProgressSink::default();
        }
        let bar = self.0.clone();
        ProgressSink::new(move |progress| {
            // Set the position first: a redraw in between must not show a full bar that then starts again.
            bar.set_position(progress.done);
            bar.set_message(super::printable(&progress.message));
            if let Some(total) = progress.total
                && bar.length() != Some(total)
            {
                bar.set_length(total);
                bar.set_style(style("{spinner} {msg} {wide_bar} {percent}% {eta}"));
            }
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates above are valid, so the fallback is never used.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
