use std::time::Duration;

/// What a retry did for one request: in the [`Error`](super::Error) that it returns, and in the
/// extensions of a response that took more than one attempt or that it would have sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryInfo {
    /// How many times the request was sent, the first one counted.
    pub attempts: u32,
    /// How long was waited between the attempts, in all.
    pub waited: Duration,
    /// The outcome would have been tried again, had the retry not come to an end of its attempts,
    /// budget, time or copies. A retry further out takes such an outcome as final.
    pub gave_up: bool,
}

impl RetryInfo {
    /// `attempts` with `waited` between them, of a retry that had no reason to go on.
    pub fn new(attempts: u32, waited: Duration) -> Self {
        Self {
            attempts,
            waited,
            gave_up: false,
        }
    }

    /// The same of a retry that had to give up.
    #[must_use]
    pub fn given_up(mut self) -> Self {
        self.gave_up = true;
        self
    }
}
