use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use standpipe_core::Error;

use super::runtime::Runtime;

/// A response body as an iterator over what its stream `S` gives; each step waits for the next.
///
/// # Errors
///
/// Those of the stream, and in an async context [`Runtime`](crate::ErrorKind::Runtime); nothing comes
/// after that one.
#[derive(Debug)]
pub struct Iter<S> {
    stream: S,
    runtime: Arc<Runtime>,
    /// It was told that it must not wait here: who passes over errors would do so for ever.
    refused: bool,
}

impl<S> Iter<S> {
    pub(super) fn new(stream: S, runtime: Arc<Runtime>) -> Self {
        Self {
            stream,
            runtime,
            refused: false,
        }
    }

    /// The stream, to look at what it has seen so far.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Sets the stream up.
    ///
    /// ```
    /// # fn run(response: standpipe::blocking::Response) -> Result<(), standpipe::Error> {
    /// let events = response.events()?;
    /// for event in events.map_inner(|events| events.ends_when(|event| event.data() == "[DONE]")) {
    ///     println!("{}", event?.data());
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn map_inner(self, set_up: impl FnOnce(S) -> S) -> Self {
        Self {
            stream: set_up(self.stream),
            runtime: self.runtime,
            refused: self.refused,
        }
    }
}

impl<S, T> Iterator for Iter<S>
where
    S: Stream<Item = Result<T, Error>> + Unpin,
{
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.refused {
            return None;
        }
        let stream = &mut self.stream;
        let next = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
        match self.runtime.wait(next) {
            Ok(item) => item,
            Err(refused) => {
                self.refused = true;
                Some(Err(refused))
            }
        }
    }
}
