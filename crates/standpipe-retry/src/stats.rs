/// What a retry has done so far, over all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryStats {
    /// Attempts that were decided upon after a failure.
    pub retries: u64,
    /// Requests sent again at once because a connection lost them, which are not among the retries.
    pub resends: u64,
    /// Requests that would have been tried again, and were not.
    pub given_up: u64,
    /// Those of them for which the budget was short.
    pub over_budget: u64,
}
