use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant, Sleep};

/// The one timer of a connection's task: made when it is first needed, and polled only when it was
/// set anew or has rung, since the task that polls it stays the same.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    at: Option<Instant>,
}

impl Timer {
    /// Whether `at` has come; the task is woken then. Without a time it never comes.
    pub(super) fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let Some(next) = at else {
            // What is set may ring, which harms nobody.
            return false;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
        if self.at != at {
            if self.at.is_some() {
                sleep.as_mut().reset(next);
            }
            self.at = at;
        } else if !sleep.is_elapsed() {
            return false;
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}
