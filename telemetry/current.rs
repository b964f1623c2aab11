//! The trace that the running code belongs to. [`enter`] sets it for a block, [`traced`] for a future. It does not follow
//! work to another thread, task or actor: the code that spawns or sends must pass the [`Trace`] along.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::{Span, Trace};

thread_local! {
    static CURRENT: Cell<Option<Trace>> = const { Cell::new(None) };
    static FOLLOWERS: RefCell<Option<Arc<[Follower]>>> = const { RefCell::new(None) };
}

/// A span that waits for work which is done under another one: it is linked to that work.
pub type Follower = Arc<Mutex<Span>>;

/// The trace of the running code.
pub fn current() -> Option<Trace> {
    CURRENT.get()
}

/// Links all spans that wait for the running work to `to`.
pub fn followers(to: Trace) {
    FOLLOWERS.with_borrow(|followers| {
        for follower in followers.iter().flat_map(|all| all.iter()) {
            let mut span = follower.lock().unwrap_or_else(PoisonError::into_inner);
            span.link(to);
        }
    });
}

/// Sets the current trace until the guard is dropped.
pub fn enter(trace: Option<Trace>) -> Entered {
    enter_with(trace, None)
}

/// As [`enter`], with spans that wait for the same work.
pub fn enter_with(trace: Option<Trace>, followers: Option<Arc<[Follower]>>) -> Entered {
    Entered {
        before: CURRENT.replace(trace),
        followers: FOLLOWERS.replace(followers),
        stays: PhantomData,
    }
}

/// Restores the trace before.
#[must_use = "the trace is current until the guard is dropped"]
pub struct Entered {
    before: Option<Trace>,
    followers: Option<Arc<[Follower]>>,
    /// The guard belongs to its thread.
    stays: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        FOLLOWERS.replace(self.followers.take());
    }
}

/// A future whose code runs in the given trace.
pub fn traced<F: Future>(trace: Option<Trace>, future: F) -> Traced<F> {
    Traced {
        trace,
        followers: None,
        future: Box::pin(future),
    }
}

pub struct Traced<F> {
    trace: Option<Trace>,
    followers: Option<Arc<[Follower]>>,
    future: Pin<Box<F>>,
}

impl<F> Traced<F> {
    /// Adds spans that wait for the same work.
    #[must_use]
    pub fn followed_by(self, followers: Arc<[Follower]>) -> Self {
        Self {
            followers: Some(followers),
            ..self
        }
    }
}

impl<F: Future> Future for Traced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _in = enter_with(self.trace, self.followers.clone());
        self.future.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(span: u64) -> Trace {
        Trace {
            trace: 1,
            span,
            sampled: true,
        }
    }

    #[test]
    fn a_block_restores_the_trace_before() {
        assert_eq!(current(), None);
        let outer = enter(Some(trace(1)));
        {
            let _inner = enter(Some(trace(2)));
            assert_eq!(current(), Some(trace(2)));
            let _none = enter(None);
            assert_eq!(current(), None);
        }
        assert_eq!(current(), Some(trace(1)));
        drop(outer);
        assert_eq!(current(), None);
    }

    #[test]
    fn a_future_has_its_trace_only_while_it_is_polled() {
        let mut future = Box::pin(traced(Some(trace(3)), async {
            let before = current();
            std::future::ready(()).await;
            (before, current())
        }));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let polled = future.as_mut().poll(&mut context);
        assert_eq!(polled, Poll::Ready((Some(trace(3)), Some(trace(3)))));
        assert_eq!(current(), None);
    }
}
