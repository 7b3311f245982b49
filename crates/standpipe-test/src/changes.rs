use tokio::sync::Notify;

/// Lets tasks wait until a state they can look at is as they wish.
#[derive(Debug, Default)]
pub(crate) struct Changes(Notify);

impl Changes {
    /// Makes everyone who waits look again. Called after the change, with no lock held.
    pub(crate) fn announce(&self) {
        self.0.notify_waiters();
    }

    /// Waits until `look` finds what it looks for.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            // Made before the look: a change between the look and the wait still wakes it.
            let changed = self.0.notified();
            if let Some(found) = look() {
                return found;
            }
            changed.await;
        }
    }
}
