//! Bodies that are sent as they are read.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use standpipe::{Body, ErrorKind, RequestSent};
use standpipe_test::memory::Network;
use tokio::io::{AsyncRead, ReadBuf};

use crate::support::{URL, assert_line, echo_on, echoed_body, on, peer, pool_and_listener, settle};

const PIECE: usize = 16 * 1024;

/// RES-05
#[tokio::test(start_paused = true)]
async fn a_stream_is_read_no_further_than_the_connection_takes_it() {
    let network = Network::with_buffer_size(PIECE);
    let listener = network.listen("a.test:80");
    let pool = on(&network).build().unwrap();
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    let body = Body::from_stream(stream::repeat_with(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; PIECE]))
    }));
    let sending = tokio::spawn(pool.post(URL).body(body).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    settle().await;
    let ahead = given.load(Ordering::Relaxed);
    assert!((1..64).contains(&ahead), "{ahead} pieces were read ahead");
    settle().await;
    assert_eq!(given.load(Ordering::Relaxed), ahead);
    // What is taken makes room for as much, and for no more.
    peer.read_exact_body(64 * PIECE).await.unwrap();
    settle().await;
    let more = given.load(Ordering::Relaxed) - ahead;
    assert!((32..=128).contains(&more), "{more} pieces for 64");
    sending.abort();
}

/// A reader that gives its text a few bytes at a time, each after a wait.
struct Slow(&'static [u8], bool);

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (now, rest) = self.0.split_at(self.0.len().min(3));
        buffer.put_slice(now);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_sent_in_chunks_or_by_the_length_that_is_told() {
    let network = Network::new();
    let _server = echo_on(&network, "a.test:80");
    let pool = on(&network).build().unwrap();
    let put = || {
        pool.put(URL)
            .body(Body::from_reader(Slow(b"seven bytes and more", false)))
    };
    for (request, framing) in [
        (put(), "transfer-encoding: chunked"),
        (put().header("content-length", "20"), "content-length: 20"),
    ] {
        let sent = request.send().await.unwrap().text().await.unwrap();
        assert_line(&sent, "PUT /");
        assert_line(&sent, framing);
        assert_eq!(echoed_body(&sent), "seven bytes and more");
    }
    let short = put()
        .header("content-length", "21")
        .send()
        .await
        .unwrap_err();
    assert_eq!(short.kind(), ErrorKind::RequestBody);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_reader_ends_the_request_and_its_connection() {
    let (network, listener, pool) = pool_and_listener(|builder| builder);
    let reader = breaking();
    let sending = tokio::spawn(pool.post(URL).body(Body::from_reader(reader)).send());
    let mut peer = peer(&listener).await;
    let error = sending.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert_ne!(error.request_sent(), RequestSent::Yes);
    let source = std::error::Error::source(&error).expect("the reader's own");
    assert_eq!(source.to_string(), "no disk");
    peer.closed().await;
    settle().await;
    assert_eq!(network.open_connections(), 0);
}

/// Gives a few bytes, then an error.
fn breaking() -> impl AsyncRead + Send {
    struct Broken;
    impl AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Poll::Ready(Err(std::io::Error::other("no disk")))
        }
    }
    tokio::io::AsyncReadExt::chain(&b"begun"[..], Broken)
}

#[cfg(feature = "fs")]
mod files {
    use std::path::PathBuf;
    use std::time::Duration;

    use http_body::Body as _;
    use http_body_util::{BodyExt, Full};
    use hyper::body::Incoming;
    use standpipe::{FileBody, RequestBuilder};
    use standpipe_test::Server;

    use super::*;

    /// A file that is removed at the end.
    struct File(PathBuf);

    impl File {
        fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
            std::fs::write(&path, content).unwrap();
            Self(path)
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    #[tokio::test]
    async fn a_file_is_sent_whole_and_its_length_is_told() {
        let network = Network::new();
        let _server = Server::builder()
            .handler(|request: http::Request<Incoming>| async move {
                let length = request.headers()["content-length"].clone();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let response = http::Response::builder().header("x-length", length);
                response.body(Full::new(body)).unwrap()
            })
            .start_on(network.listen("a.test:80"));
        let pool = on(&network).build().unwrap();
        for length in [0, 1, 128 * 1024, 1_000_003] {
            let file = File::new(&format!("whole-{length}"), content(length));
            let body = FileBody::open(&file.0).await.unwrap();
            assert_eq!(body.length(), length as u64);
            let response = pool.put(URL).body(body).send().await.unwrap();
            assert_eq!(response.headers()["x-length"], length.to_string());
            assert!(response.bytes().await.unwrap() == content(length));
        }
    }

    /// A server that answers 503 to the first request, and then with what it was sent.
    fn first_busy(network: &Network) -> Server {
        let requests = AtomicUsize::new(0);
        let builder = Server::builder().handler(move |request: http::Request<Incoming>| {
            let first = requests.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let status = if first { 503 } else { 200 };
                let response = http::Response::builder().status(status);
                response.body(Full::new(body)).unwrap()
            }
        });
        builder.start_on(network.listen("a.test:80"))
    }

    async fn sent_again(request: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Bytes {
        let network = Network::new();
        let server = first_busy(&network);
        let pool = on(&network)
            .initial_retry_delay(Duration::from_millis(1))
            .build()
            .unwrap();
        let response = request(pool.post(URL)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(server.stats().requests, 2);
        response.bytes().await.unwrap()
    }

    /// RTY-15
    #[tokio::test]
    async fn a_file_is_sent_again_by_a_retry_whatever_became_of_its_name() {
        let file = File::new("again", content(300_000));
        let body = FileBody::open(&file.0).await.unwrap();
        drop(file);
        assert!(sent_again(|post| post.body(body)).await == content(300_000));
        let file = File::new("again-std", content(10));
        let opened = std::fs::File::open(&file.0).unwrap();
        let body = FileBody::from_std(opened).unwrap();
        assert!(sent_again(|post| post.body(body)).await == content(10));
    }

    #[cfg(feature = "multipart")]
    #[tokio::test]
    async fn a_form_with_a_file_is_sent_again_by_a_retry() {
        use standpipe::multipart::{Form, Part};

        let file = File::new("in-a-form", "the file");
        let body = FileBody::open(&file.0).await.unwrap();
        let part = Part::file(body).file_name("x.bin");
        let form = Form::new().text("a", "1").part("f", part);
        let sent = sent_again(|post| post.multipart(form)).await;
        let sent = String::from_utf8(sent.into()).unwrap();
        assert!(sent.contains("name=\"f\"; filename=\"x.bin\"\r\n\r\nthe file\r\n--"));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_told_before_anything_is_sent() {
        let missing = FileBody::open("no/such/hunter2").await.unwrap_err();
        let directory = FileBody::open(env!("CARGO_TARGET_TMPDIR"))
            .await
            .unwrap_err();
        for error in [missing, directory] {
            assert_eq!(error.kind(), ErrorKind::RequestBody);
            assert_eq!(error.request_sent(), RequestSent::No);
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error_and_one_that_grew_is_sent_as_it_was() {
        let file = File::new("grows", "12345");
        let body: Body = FileBody::open(&file.0).await.unwrap().into();
        std::fs::write(&file.0, "1234567").unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "12345");

        let mut body: Body = FileBody::open(&file.0).await.unwrap().into();
        std::fs::write(&file.0, "123").unwrap();
        assert_eq!(body.size_hint().exact(), Some(7));
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "123");
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody);
        assert!(body.frame().await.is_none() && body.is_end_stream());
    }
}
