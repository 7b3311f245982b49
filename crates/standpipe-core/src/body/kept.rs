use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::store::Store;
use super::user_error;
use crate::sync::{Arc, Mutex};
use crate::{BoxError, Error, ErrorKind, Phase, RequestSent};

/// A body that can be read once, read through a handle that keeps what went by, so that another
/// handle can give the same from the beginning.
///
/// The newest handle that was read from is the reader. It gives what is kept and then goes on with
/// the source; a handle that it overtook gives an error, which ends the attempt that still sends it.
/// The source is polled outside of the lock: it is taken out, and put back.
pub(super) struct Kept<S> {
    shared: Arc<Shared<S>>,
    /// Which reader this is; zero before the first frame was asked for.
    reader: u64,
    /// The next piece of the store to give.
    at: usize,
    /// Bytes given so far.
    given: u64,
    trailers_given: bool,
    /// It was told why it gets no more.
    told: bool,
}

struct Shared<S> {
    /// The source's own hint, before it was read from.
    hint: SizeHint,
    state: Mutex<State<S>>,
}

struct State<S> {
    /// Missing while a reader polls it, and once it has ended.
    source: Option<S>,
    store: Store,
    keeping: Keeping,
    cap: usize,
    ended: bool,
    /// The reader that may go on; readers are counted from one.
    reader: u64,
    /// Who waits for a frame.
    waker: Option<Waker>,
    handles: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    /// All that was read is in the store.
    All,
    /// It was too much, or nobody has a use for it: only the reader goes on.
    Nothing,
    /// The source failed, or what a reader needs of the store is gone.
    Failed,
}

impl<S: HttpBody> Kept<S> {
    pub(super) fn new(source: S, cap: usize) -> Self {
        let hint = source.size_hint();
        let ended = source.is_end_stream();
        let state = State {
            source: Some(source),
            store: Store::default(),
            keeping: Keeping::All,
            cap,
            ended,
            reader: 0,
            waker: None,
            handles: 1,
        };
        Self::handle(Arc::new(Shared {
            hint,
            state: Mutex::new(state),
        }))
    }
}

impl<S> Kept<S> {
    fn handle(shared: Arc<Shared<S>>) -> Self {
        Self {
            shared,
            reader: 0,
            at: 0,
            given: 0,
            trailers_given: false,
            told: false,
        }
    }

    pub(super) fn set_cap(&self, cap: usize) {
        self.shared.state.lock().cap = cap;
    }

    /// Another handle on the same source, where all of it can still be given.
    pub(super) fn replay(&self) -> Option<Self> {
        let mut state = self.shared.state.lock();
        let too_long = self.shared.hint.lower() > state.cap as u64;
        if too_long || state.keeping != Keeping::All {
            return None;
        }
        state.handles += 1;
        Some(Self::handle(Arc::clone(&self.shared)))
    }

    pub(super) fn is_whole(&self) -> bool {
        self.shared.state.lock().keeping == Keeping::All
    }

    /// Makes this handle the reader, from the beginning.
    fn begin(&mut self, state: &mut State<S>) -> Option<Waker> {
        state.reader += 1;
        self.reader = state.reader;
        state.store.seal();
        // The one that was reading is told when it asks next, so it must ask.
        state.waker.take()
    }
}

/// What a reader finds under the lock.
enum Turn<S> {
    Give(Option<Result<Frame<Bytes>, Error>>),
    Poll(S),
    Wait,
}

impl<S> Kept<S> {
    fn turn(&mut self, cx: &Context<'_>) -> Turn<S> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        let mut overtaken = None;
        if self.reader == 0 {
            if state.keeping != Keeping::All {
                let told = std::mem::replace(&mut self.told, true);
                return Turn::Give((!told).then(|| Err(refused(FAILED))));
            }
            overtaken = self.begin(&mut state);
        }
        let turn = if state.reader != self.reader {
            let told = std::mem::replace(&mut self.told, true);
            Turn::Give((!told).then(|| Err(refused(OVERTAKEN))))
        } else if state.keeping == Keeping::Failed {
            // Never as an end: the body would be cut short and nobody would know.
            let told = std::mem::replace(&mut self.told, true);
            Turn::Give((!told).then(|| Err(refused(FAILED))))
        } else if let Some(piece) = state.store.piece(self.at) {
            self.at += 1;
            self.given += piece.len() as u64;
            Turn::Give(Some(Ok(Frame::data(piece.clone()))))
        } else if state.ended {
            Turn::Give(self.last_frame(&state))
        } else if let Some(source) = state.source.take() {
            Turn::Poll(source)
        } else {
            // The reader that was overtaken polls the source this very moment on another thread.
            state.waker = Some(cx.waker().clone());
            Turn::Wait
        };
        drop(state);
        // A waker is foreign code.
        overtaken.into_iter().for_each(Waker::wake);
        turn
    }

    fn last_frame(&mut self, state: &State<S>) -> Option<Result<Frame<Bytes>, Error>> {
        if std::mem::replace(&mut self.trailers_given, true) {
            return None;
        }
        let trailers = state.store.trailers()?.clone();
        Some(Ok(Frame::trailers(trailers)))
    }

    /// Puts the source back with what it gave; whether this handle is the reader still.
    fn put_back(&mut self, source: S, at_end: bool, polled: &Polled, cx: &Context<'_>) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        let mine = state.reader == self.reader;
        let ended = at_end || matches!(polled, Poll::Ready(None | Some(Err(_))));
        let given_up = state.take_in(polled);
        let mut woken = None;
        if !mine {
            // What this handle has read is the new reader's, who may be waiting for the source.
            state.store.seal();
            woken = state.waker.take();
            if given_up.is_some() {
                // It has not read yet what was just let go.
                state.keeping = Keeping::Failed;
            }
        } else if polled.is_pending() {
            state.waker = Some(cx.waker().clone());
        } else {
            self.at = state.store.sealed();
        }
        state.ended |= ended;
        let spent = if ended {
            Some(source)
        } else {
            state.source = Some(source);
            None
        };
        drop(state);
        // A waker, the end of a source and that of its bytes are foreign code.
        woken.into_iter().for_each(Waker::wake);
        drop((spent, given_up));
        mine
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, Error>>>;

impl<S> State<S> {
    /// Keeps what was read, where that is of use; returns what is no longer kept.
    fn take_in(&mut self, polled: &Polled) -> Option<Store> {
        match polled {
            Poll::Ready(Some(Ok(frame))) if self.keeping == Keeping::All => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.store.set_trailers(trailers.clone());
                } else if let Some(data) = frame.data_ref()
                    && (self.handles == 1 || !self.store.push(data, self.cap))
                {
                    self.keeping = Keeping::Nothing;
                    return Some(std::mem::take(&mut self.store));
                }
                None
            }
            Poll::Ready(Some(Err(_))) => {
                self.keeping = Keeping::Failed;
                Some(std::mem::take(&mut self.store))
            }
            _ => None,
        }
    }
}

impl<S> HttpBody for Kept<S>
where
    S: HttpBody + Unpin,
    S::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        let mut source = match this.turn(cx) {
            Turn::Give(frame) => return Poll::Ready(frame),
            Turn::Wait => return Poll::Pending,
            Turn::Poll(source) => source,
        };
        let lost = LostOnPanic(&this.shared);
        let polled = Pin::new(&mut source).poll_frame(cx).map(|frame| {
            frame.map(|frame| match frame {
                Ok(frame) => Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
                Err(error) => Err(user_error(error)),
            })
        });
        let at_end = source.is_end_stream();
        drop(lost);
        if !this.put_back(source, at_end, &polled, cx) {
            this.told = true;
            return Poll::Ready(Some(Err(refused(OVERTAKEN))));
        }
        if let Some(Ok(frame)) = ready_ref(&polled) {
            this.given += frame.data_ref().map_or(0, |data| data.len() as u64);
            this.trailers_given |= frame.is_trailers();
        }
        this.told = matches!(polled, Poll::Ready(Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.shared.state.lock();
        let unread = if self.reader == 0 {
            !state.store.is_empty()
        } else if self.reader != state.reader {
            true
        } else {
            let trailers = state.store.trailers().is_some() && !self.trailers_given;
            state.store.piece(self.at).is_some() || trailers
        };
        state.ended && !unread
    }

    /// That of the source less what was given, so that each attempt declares the same length.
    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.shared.hint.lower().saturating_sub(self.given));
        if let Some(upper) = self.shared.hint.upper() {
            hint.set_upper(upper.saturating_sub(self.given).max(hint.lower()));
        }
        hint
    }
}

impl<S> Drop for Kept<S> {
    fn drop(&mut self) {
        self.shared.state.lock().handles -= 1;
    }
}

impl<S> fmt::Debug for Kept<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("hint", &self.shared.hint)
            .finish_non_exhaustive()
    }
}

/// A source that panics is gone: whoever waits for it is told, not left waiting.
struct LostOnPanic<'a, S>(&'a Shared<S>);

impl<S> Drop for LostOnPanic<'_, S> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut state = self.0.state.lock();
        state.keeping = Keeping::Failed;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

const FAILED: &str = "the body can no longer be sent again";
const OVERTAKEN: &str = "a later attempt sends the body";

fn ready_ref<T>(polled: &Poll<Option<T>>) -> Option<&T> {
    match polled {
        Poll::Ready(ready) => ready.as_ref(),
        Poll::Pending => None,
    }
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::RequestBody)
        .with_phase(Phase::Exchange)
        .with_request_sent(RequestSent::Maybe)
        .with_message(message)
}
