use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

async fn bytes_of(body: Body) -> Result<Bytes, Error> {
    Ok(body.collect().await?.to_bytes())
}

struct Chunks(Vec<&'static str>);

impl futures_core::Stream for Chunks {
    type Item = Result<&'static str, BoxError>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = (!self.0.is_empty()).then(|| self.0.remove(0));
        Poll::Ready(next.map(|chunk| match chunk {
            "!" => Err("broken".into()),
            chunk => Ok(chunk),
        }))
    }
}

#[tokio::test]
async fn each_kind_gives_its_bytes_and_its_length() {
    assert_eq!(bytes_of(Body::empty()).await.unwrap(), "");
    assert!(Body::from("").is_end_stream());
    let full = Body::from("abc");
    assert_eq!(full.size_hint().exact(), Some(3));
    assert_eq!(bytes_of(full).await.unwrap(), "abc");
    let factory = Body::from_fn(|| Full::new(Bytes::from_static(b"made")));
    assert_eq!(factory.size_hint().exact(), Some(4));
    assert_eq!(bytes_of(factory).await.unwrap(), "made");
    let stream = Body::from_stream(Chunks(vec!["a", "", "b"]));
    assert_eq!(stream.size_hint().exact(), None);
    assert_eq!(bytes_of(stream).await.unwrap(), "ab");
}

#[tokio::test]
async fn bytes_and_factories_replay_with_their_deadline_and_streams_do_not() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let mut factory = Body::from_fn(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Full::new(Bytes::from_static(b"x"))
    });
    let deadline = Deadline::after(Duration::from_secs(1));
    factory.set_deadline(Some(deadline));
    let copy = factory.replay().unwrap();
    assert_eq!(copy.deadline(), Some(deadline));
    assert_eq!(
        bytes_of(factory).await.unwrap(),
        bytes_of(copy).await.unwrap()
    );
    assert_eq!(made.load(Ordering::Relaxed), 2);
    assert!(Body::from("x").replay().is_some());
    assert!(Body::from_stream(Chunks(vec![])).replay().is_none());
}

#[test]
fn bodies_of_known_types_are_taken_as_what_they_are() {
    assert!(Body::new(Body::from("x")).as_bytes().is_some());
    assert_eq!(
        Body::new(Full::new(Bytes::from_static(b"y")))
            .as_bytes()
            .unwrap(),
        "y"
    );
    assert!(Body::new(Empty::new()).is_end_stream());
    assert!(!Body::from_stream(Chunks(vec!["a"])).is_buffered());
}

/// RTY-17: the user's own failure is told from the network's.
#[tokio::test]
async fn the_error_of_a_users_stream_is_a_request_body_error() {
    let error = bytes_of(Body::from_stream(Chunks(vec!["a", "!", "b"])))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    let mut stream = Body::from_stream(Chunks(vec!["!", "b"]));
    assert!(stream.frame().await.unwrap().is_err());
    assert!(stream.frame().await.is_none(), "nothing after the error");
}

#[tokio::test]
async fn a_body_complete_at_its_first_frame_is_taken_without_a_box() {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let whole = Body::poll_new(Body::from("whole"), &mut cx);
    assert_eq!(whole.as_bytes().unwrap(), "whole");
    let parts = Body::poll_new(Body::from_stream(Chunks(vec!["a", "b"])), &mut cx);
    assert!(!parts.is_buffered());
    assert_eq!(bytes_of(parts).await.unwrap(), "ab");
    let single = Body::poll_new(Body::from_stream(Chunks(vec!["only"])), &mut cx);
    assert_eq!(single.as_bytes().unwrap(), "only");
    let three = Body::poll_new(Body::from_stream(Chunks(vec!["a", "b", "c"])), &mut cx);
    assert_eq!(bytes_of(three).await.unwrap(), "abc");
    let broken = Body::poll_new(Body::from_stream(Chunks(vec!["!"])), &mut cx);
    assert!(bytes_of(broken).await.is_err());
}

#[tokio::test]
async fn a_reader_is_read_in_pieces_and_its_error_is_the_bodys() {
    let text = vec![b'x'; 200_000];
    let mut body = Body::from_reader(std::io::Cursor::new(text.clone()));
    assert_eq!(body.size_hint().exact(), None);
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(!data.is_empty() && data.len() <= 64 * 1024);
        read.extend_from_slice(&data);
    }
    assert!(body.is_end_stream() && body.frame().await.is_none());
    assert_eq!(read, text);
    assert_eq!(
        bytes_of(Body::from_reader(tokio::io::empty()))
            .await
            .unwrap(),
        ""
    );

    struct Broken;
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Poll::Ready(Err(std::io::Error::other("no disk")))
        }
    }
    let mut body = Body::from_reader(Broken);
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "no disk"
    );
    assert!(body.frame().await.is_none());
}
