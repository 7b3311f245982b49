use super::network::Network;

/// Keeps the dials of a [`Network`] from ending, until they are released one by one or the hold is
/// dropped; with two holds, until the last of them is.
#[derive(Debug)]
#[must_use = "a dropped hold lets all dials through"]
pub struct DialHold {
    network: Network,
}

impl DialHold {
    pub(super) fn new(network: Network) -> Self {
        Self { network }
    }

    /// Lets `n` dials through: those that wait, the first to come first, and if they are fewer, the
    /// next to come.
    pub fn release(&self, n: usize) {
        self.network.release_dials(n);
    }

    /// How many dials wait.
    pub fn waiting(&self) -> usize {
        self.network.held_dials()
    }

    /// Waits until at least `n` dials wait at once.
    pub async fn arrived(&self, n: usize) {
        self.network.dials_held(n).await;
    }
}

impl Drop for DialHold {
    fn drop(&mut self) {
        self.network.end_hold();
    }
}
