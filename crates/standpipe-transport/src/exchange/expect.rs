//! A body that waits for the server's leave: `Expect: 100-continue` (RFC 9110, 10.1.1).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::header::EXPECT;
use http::{Request, StatusCode, Version};
use standpipe_core::Deadline;
use standpipe_core::sync::Mutex;
use tokio::time::Sleep;

use super::hold::Hold;

/// Whether the caller wants the body to wait. Of HTTP/2 hyper tells no informational answers, and
/// HTTP/1.0 knows none.
#[cold]
pub(super) fn is_asked_for<B>(request: &Request<B>) -> bool {
    let expectation = request.headers().get(EXPECT);
    request.version() == Version::HTTP_11
        && expectation.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Has the body of the request go out when the server says so.
#[cold]
pub(super) fn heed_answers<B>(request: &mut Request<B>, hold: &Arc<Hold>) {
    // Weak: the hold ends with the body and the response, whatever becomes of the hook.
    let hold: Weak<Hold> = Arc::downgrade(hold);
    hyper::ext::on_informational(request, move |answer| {
        if answer.status() == StatusCode::CONTINUE
            && let Some(gate) = hold.upgrade().as_ref().and_then(|hold| hold.gate())
        {
            gate.open();
        }
    });
}

/// What a body waits at.
#[derive(Debug)]
pub(crate) struct Gate {
    /// How long it waits: servers need not know of expectations.
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Closed(Option<Waker>),
    Open,
    /// For good.
    Refused,
}

impl Gate {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            state: Mutex::new(State::Closed(None)),
        }
    }

    fn open(&self) {
        self.leave_closed(State::Open);
    }

    /// The server has answered; whether it was without the body, which stays here then: an answer of
    /// success leaves the rest of the exchange as it is, any other one is told before the body.
    pub(crate) fn decide(&self, status: StatusCode) -> bool {
        let is_success = status.is_success();
        self.leave_closed(if is_success {
            State::Open
        } else {
            State::Refused
        });
        matches!(*self.state.lock(), State::Refused)
    }

    fn leave_closed(&self, next: State) {
        let mut state = self.state.lock();
        if let State::Closed(_) = *state {
            let before = std::mem::replace(&mut *state, next);
            drop(state);
            if let State::Closed(Some(waker)) = before {
                waker.wake();
            }
        }
    }

    /// Whether the body may go. `timer` belongs to the body.
    pub(crate) fn poll(
        &self,
        timer: &mut Option<Pin<Box<Sleep>>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        {
            let waker = cx.waker().clone();
            match &mut *self.state.lock() {
                State::Open => return Poll::Ready(()),
                State::Refused => return Poll::Pending,
                State::Closed(waiting) => drop(waiting.replace(waker)),
            }
        }
        let timer = timer.get_or_insert_with(|| {
            let until = Deadline::after(self.limit).instant();
            Box::pin(tokio::time::sleep_until(until))
        });
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // The race: an answer may have come meanwhile.
        self.open();
        match *self.state.lock() {
            State::Open => Poll::Ready(()),
            State::Closed(_) | State::Refused => Poll::Pending,
        }
    }
}
