use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use http_body_util::{BodyExt, StreamBody};

use super::*;
use std::task::Waker;

/// Frames that come when they are asked for; `None` makes the reader wait once.
struct Frames(VecDeque<Option<Result<Frame<Bytes>, BoxError>>>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(None) => Poll::Pending,
            Some(Some(frame)) => Poll::Ready(Some(frame)),
        }
    }
}

fn data(text: &'static str) -> Option<Result<Frame<Bytes>, BoxError>> {
    Some(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
}

fn frames(
    frames: impl IntoIterator<Item = Option<Result<Frame<Bytes>, BoxError>>>,
) -> ReplayBody<Frames> {
    ReplayBody::with_cap(Frames(frames.into_iter().collect()), 8)
}

type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

fn poll<B: HttpBody<Data = Bytes> + Unpin>(body: &mut B) -> Polled<B::Error> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

fn text(polled: Polled<Error>) -> Option<Bytes> {
    match polled {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
        _ => None,
    }
}

async fn all(body: ReplayBody<Frames>) -> Result<Bytes, Error> {
    Ok(body.collect().await?.to_bytes())
}

/// RTY-14
#[tokio::test]
async fn every_copy_gives_the_bytes_and_trailers_of_the_original() {
    let mut trailers = HeaderMap::new();
    trailers.insert("sum", "1".parse().unwrap());
    let end = Some(Ok(Frame::trailers(trailers.clone())));
    let first = frames([data("ab"), data("cd"), end]);
    let second = first.replay().unwrap();
    let third = second.replay().unwrap();
    for body in [first, second, third] {
        let read = body.collect().await.unwrap();
        assert_eq!(read.trailers(), Some(&trailers));
        assert_eq!(read.to_bytes(), "abcd");
    }
}

/// RTY-15
#[tokio::test]
async fn over_the_cap_the_reader_goes_on_and_the_copy_is_not_whole() {
    let first = frames([data("12345"), data("6789"), data("0")]);
    let copy = first.replay().unwrap();
    assert!(copy.is_whole());
    assert_eq!(all(first).await.unwrap(), "1234567890");
    assert!(!copy.is_whole());
    assert!(copy.replay().is_none());
    assert_eq!(all(copy).await.unwrap_err().kind(), ErrorKind::RequestBody);
}

/// RTY-15: what nobody can use is not kept.
#[tokio::test]
async fn nothing_is_kept_without_a_copy() {
    let mut alone = frames([data("ab"), data("cd")]);
    assert_eq!(text(poll(&mut alone)).unwrap(), "ab");
    assert!(!alone.is_whole(), "it was let go");
    let mut first = frames([data("ab"), data("cd"), data("ef")]);
    let copy = first.replay().unwrap();
    assert_eq!(text(poll(&mut first)).unwrap(), "ab");
    drop(copy);
    assert!(first.is_whole());
    assert_eq!(text(poll(&mut first)).unwrap(), "cd");
    assert!(!first.is_whole(), "let go with the copy");
    assert_eq!(text(poll(&mut first)).unwrap(), "ef");
}

#[tokio::test]
async fn a_copy_goes_on_where_the_original_stopped_and_overtakes_it() {
    let mut first = frames([data("ab"), None, data("cd")]);
    let mut second = first.replay().unwrap();
    assert_eq!(text(poll(&mut first)).unwrap(), "ab");
    assert!(poll(&mut first).is_pending());
    assert_eq!(text(poll(&mut second)).unwrap(), "ab");
    let Poll::Ready(Some(Err(overtaken))) = poll(&mut first) else {
        panic!("the original went on");
    };
    assert_eq!(overtaken.kind(), ErrorKind::RequestBody);
    assert!(!first.is_end_stream());
    assert_eq!(text(poll(&mut second)).unwrap(), "cd");
    assert!(matches!(poll(&mut second), Poll::Ready(None)));
    assert!(second.is_end_stream());
}

/// An upload that nobody polls any more must be, to learn that it is over.
#[tokio::test]
async fn who_is_overtaken_while_it_waits_is_woken() {
    struct Woken(AtomicBool);
    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut first = frames([None, data("ab")]);
    let mut second = first.replay().unwrap();
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut first).poll_frame(&mut cx).is_pending());
    assert_eq!(text(poll(&mut second)).unwrap(), "ab");
    assert!(woken.0.load(Ordering::Relaxed));
}

/// RTY-17
#[tokio::test]
async fn a_source_that_fails_ends_its_copies_too() {
    let first = frames([data("ab"), Some(Err("gone".into()))]);
    let copy = first.replay().unwrap();
    let failed = all(first).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::RequestBody);
    assert!(!copy.is_whole());
    assert!(all(copy).await.is_err());
}

#[test]
fn a_source_that_panics_leaves_nobody_waiting() {
    struct Panics;
    impl HttpBody for Panics {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            panic!("on purpose")
        }
    }
    let mut first = ReplayBody::new(Panics);
    let mut copy = first.replay().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut first)));
    assert!(panicked.is_err());
    assert!(!copy.is_whole());
    for body in [&mut copy, &mut first] {
        assert!(matches!(poll(body), Poll::Ready(Some(Err(_)))));
        assert!(matches!(poll(body), Poll::Ready(None)));
    }
}

/// A copy that takes over at the very moment in which the original's source gives, fails, or gives
/// too much: it has every byte, or an error, and never a body cut short.
#[test]
fn a_copy_that_takes_over_in_the_middle_of_a_poll_is_not_cut_short() {
    type Slot = Arc<crate::sync::Mutex<Option<ReplayBody<Meanwhile>>>>;
    struct Meanwhile(Slot, Frames);
    impl HttpBody for Meanwhile {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let copy = self.0.lock().take();
            if let Some(mut copy) = copy {
                assert!(poll(&mut copy).is_pending(), "the source is in use");
                *self.0.lock() = Some(copy);
            }
            Pin::new(&mut self.1).poll_frame(cx)
        }
    }
    for (first, expected) in [
        (data("abc"), Some("abcdef")),
        (None, Some("def")),
        (Some(Err("gone".into())), None),
        (data("more than eight"), None),
    ] {
        let slot = Slot::default();
        let source = Meanwhile(slot.clone(), Frames([first, data("def")].into()));
        let mut original = ReplayBody::with_cap(source, 8);
        *slot.lock() = original.replay();
        assert!(matches!(poll(&mut original), Poll::Ready(Some(Err(_)))));
        let mut copy = slot.lock().take().unwrap();
        let mut read = Vec::new();
        let failed = loop {
            match poll(&mut copy) {
                Poll::Ready(Some(Ok(frame))) => read.extend(frame.into_data().unwrap()),
                Poll::Ready(Some(Err(_))) => break true,
                Poll::Ready(None) => break false,
                Poll::Pending => panic!("nothing to wait for"),
            }
        };
        match expected {
            Some(text) => assert_eq!((failed, &read[..]), (false, text.as_bytes())),
            None => assert!(failed, "cut short: {read:?}"),
        }
    }
}

/// RTY-14: a length that was declared once is declared again.
#[tokio::test]
async fn a_copy_declares_the_length_of_the_original() {
    let full = ReplayBody::new(Full::new(Bytes::from_static(b"abc")));
    let copy = full.replay().unwrap();
    assert_eq!(full.size_hint().exact(), Some(3));
    full.collect().await.unwrap();
    assert_eq!(copy.size_hint().exact(), Some(3));
    assert!(!copy.is_end_stream());
    let stream = frames([data("ab")]);
    let copy = stream.replay().unwrap();
    stream.collect().await.unwrap();
    assert_eq!(copy.size_hint().exact(), None);
}

#[tokio::test]
async fn an_empty_body_and_its_copy_have_ended_from_the_start() {
    let empty = ReplayBody::new(Empty::<Bytes>::new());
    let mut copy = empty.replay().unwrap();
    assert!(empty.is_end_stream() && copy.is_end_stream());
    assert!(matches!(poll(&mut copy), Poll::Ready(None)));
}

/// Readers that take over from each other on two threads lose no byte and no wake-up.
#[test]
fn readers_on_two_threads_lose_nothing() {
    for _ in 0..200 {
        let pieces = (0..64).map(|n: u8| Ok::<_, BoxError>(Frame::data(Bytes::from(vec![n]))));
        let pieces: Vec<_> = pieces.collect();
        let mut source = pieces.into_iter();
        let stream = StreamBody::new(futures_stream(move || source.next()));
        let first = ReplayBody::new(stream);
        let second = first.replay().unwrap();
        std::thread::scope(|scope| {
            let read = |body: ReplayBody<_>| {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.build().unwrap();
                runtime.block_on(async { body.collect().await.map(|read| read.to_bytes()) })
            };
            let overtaken = scope.spawn(move || read(first));
            let whole = scope.spawn(move || read(second));
            let (first, second) = (overtaken.join().unwrap(), whole.join().unwrap());
            let expected: Vec<u8> = (0..64).collect();
            // Whoever began last has all of it; the other one has it too, or was overtaken.
            assert!(first.is_ok() || second.is_ok());
            for read in [first, second].into_iter().flatten() {
                assert_eq!(read, expected);
            }
        });
    }
}

fn futures_stream<T>(next: impl FnMut() -> Option<T>) -> impl futures_core::Stream<Item = T> {
    struct FromFn<F>(F);
    impl<T, F: FnMut() -> Option<T>> futures_core::Stream for FromFn<F> {
        type Item = T;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
            // The closure is not pinned: it is moved nowhere and is only called.
            Poll::Ready((self.get_mut().0)())
        }
    }
    impl<F> Unpin for FromFn<F> {}
    FromFn(next)
}
