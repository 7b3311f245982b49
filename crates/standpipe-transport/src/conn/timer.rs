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
    /// Whether `at` is what it is set to, and has not come yet.
    #[inline]
    pub(super) fn is_running_to(&self, at: Option<Instant>) -> bool {
        match (&self.sleep, at) {
            (Some(sleep), Some(_)) => self.at == at && !sleep.is_elapsed(),
            (_, at) => at.is_none(),
        }
    }

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
        }
        // Unconstrained: a task that has used up its share of a turn would be told "pending" without
        // being registered, and is not asked again before the time has come.
        let mut sleep = tokio::task::unconstrained(sleep.as_mut());
        Pin::new(&mut sleep).poll(cx).is_ready()
    }
}

#[cfg(all(test, not(standpipe_loom)))]
mod tests {
    use super::*;
    use std::task::Poll;
    use std::time::Duration;

    /// A connection's task that has used up its turn sets its timer all the same.
    #[tokio::test(start_paused = true)]
    async fn a_timer_rings_that_was_set_at_the_end_of_a_turn() {
        let at = Some(Instant::now() + Duration::from_secs(1));
        let mut timer = Timer::default();
        let mut first = true;
        let ringing = std::future::poll_fn(|cx| {
            if std::mem::take(&mut first) {
                while tokio::task::coop::has_budget_remaining() {
                    let spent = std::pin::pin!(tokio::task::consume_budget());
                    let _ = spent.poll(cx);
                }
            }
            if timer.is_running_to(at) || !timer.poll(at, cx) {
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        // In a task of its own, which is woken by its timer alone.
        let ringing = tokio::time::timeout(Duration::from_secs(60), ringing);
        let begun = Instant::now();
        ringing.await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }
}
