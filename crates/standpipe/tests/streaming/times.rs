//! The time of a request whose response streams.

use standpipe::{Error, ErrorKind, Phase, RequestBuilder, Response};
use standpipe_test::Peer;
use standpipe_test::memory::MemoryStream;
use tokio::time::Instant;

use crate::support::{URL, peer, pool_and_listener, secs, settle};

/// The error of a request that nobody answers, and after how many seconds it came.
async fn unanswered(
    configure: impl FnOnce(standpipe::PoolBuilder) -> standpipe::PoolBuilder,
    request: impl FnOnce(RequestBuilder) -> RequestBuilder,
    streaming: bool,
) -> (ErrorKind, u64) {
    let (_network, listener, pool) = pool_and_listener(configure);
    let request = request(pool.get(URL));
    let begun = Instant::now();
    let sending = tokio::spawn(async move {
        match streaming {
            true => request.send_streaming().await,
            false => request.send().await,
        }
    });
    let _peer = peer(&listener).await;
    let error = sending.await.unwrap().unwrap_err();
    (error.kind(), begun.elapsed().as_secs())
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn the_head_of_a_stream_is_waited_for_as_long_as_is_said() {
    let none = |b: standpipe::PoolBuilder| b.response_header_timeout(None);
    let total = move |b| none(b).request_timeout(Some(secs(20)));
    let asked = |request: RequestBuilder| request.head_timeout(secs(7));
    let response = ErrorKind::ResponseTimeout;
    // The pool's total is the limit of the head, unless the request has one of its own.
    assert_eq!(unanswered(total, |r| r, true).await, (response, 20));
    assert_eq!(unanswered(total, asked, true).await, (response, 7));
    assert_eq!(unanswered(none, asked, false).await, (response, 7));
    let longer = |request: RequestBuilder| request.head_timeout(secs(300));
    assert_eq!(unanswered(total, longer, true).await, (response, 300));
    // A total that the request asks for holds for all of it.
    let both = |request: RequestBuilder| request.timeout(secs(5)).head_timeout(secs(7));
    let exceeded = ErrorKind::DeadlineExceeded;
    assert_eq!(unanswered(total, both, true).await, (exceeded, 5));
    assert_eq!(
        unanswered(total, |r| r.timeout(secs(30)), true).await,
        (exceeded, 30)
    );
    assert_eq!(unanswered(total, |r| r, false).await, (exceeded, 20));
    assert_eq!(unanswered(total, longer, false).await, (exceeded, 20));
}

struct Begun {
    peer: Peer<MemoryStream>,
    response: Response,
    _rest: Box<dyn Send>,
}

/// A response whose head has come, and of whose body two bytes of three have.
async fn begun(request: impl FnOnce(RequestBuilder) -> RequestBuilder, streaming: bool) -> Begun {
    let (network, listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(20))));
    let request = request(pool.get(URL));
    let sending = tokio::spawn(async move {
        match streaming {
            true => request.send_streaming().await,
            false => request.send().await,
        }
    });
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab";
    peer.write(head).await.unwrap();
    Begun {
        peer,
        response: sending.await.unwrap().unwrap(),
        _rest: Box::new((network, listener)),
    }
}

async fn end(begun: Begun) -> (Result<bytes::Bytes, Error>, u64) {
    let start = Instant::now();
    let body = begun.response.bytes().await;
    drop(begun.peer);
    (body, start.elapsed().as_secs())
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_body_that_streams_ends_by_its_silence_and_not_by_the_total() {
    let (body, after) = end(begun(|r| r, true).await).await;
    let error = body.unwrap_err();
    assert_eq!((error.kind(), after), (ErrorKind::BodyIdleTimeout, 300));
    assert_eq!(error.phase(), Some(Phase::Body));
    let (body, after) = end(begun(|r| r.body_idle_timeout(secs(9)), true).await).await;
    let kind = body.unwrap_err().kind();
    assert_eq!((kind, after), (ErrorKind::BodyIdleTimeout, 9));
    let (body, after) = end(begun(|r| r.timeout(secs(11)), true).await).await;
    let kind = body.unwrap_err().kind();
    assert_eq!((kind, after), (ErrorKind::DeadlineExceeded, 11));
    // Without streaming the total holds, beside a limit on silence.
    let (body, after) = end(begun(|r| r.body_idle_timeout(secs(9)), false).await).await;
    let kind = body.unwrap_err().kind();
    assert_eq!((kind, after), (ErrorKind::BodyIdleTimeout, 9));
    let (body, after) = end(begun(|r| r.body_idle_timeout(secs(30)), false).await).await;
    let kind = body.unwrap_err().kind();
    assert_eq!((kind, after), (ErrorKind::DeadlineExceeded, 20));
}

/// TO-04
#[tokio::test(start_paused = true)]
async fn a_stream_may_go_on_for_as_long_as_it_is_not_silent() {
    let mut begun = begun(|r| r.head_timeout(secs(5)), true).await;
    let mut response = begun.response;
    assert_eq!(response.chunk().await.unwrap().unwrap(), "ab");
    let reading = tokio::spawn(async move { response.chunk().await });
    settle().await;
    tokio::time::advance(secs(299)).await;
    begun.peer.write("c").await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap().unwrap(), "c");
}
