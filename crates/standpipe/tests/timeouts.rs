//! Which clock runs when, by a clock that is paused.

mod support;

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use standpipe::{
    Body, Deadline, Error, ErrorKind, HostConfig, Origin, Phase, Pool, PoolBuilder, RequestSent,
    RequestTimeout,
};
use standpipe_test::Peer;
use standpipe_test::memory::{Listener, MemoryStream, Network};
use support::{
    URL, assert_acquire_timeout, on, one_connection_on, peer, pool_and_listener, secs, settle,
    spawn_get,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Sends a GET whose request the test's peer has read and answers when the test likes.
async fn held(
    pool: &Pool,
    listener: &Listener,
) -> (JoinHandle<Result<String, Error>>, Peer<MemoryStream>) {
    let sent = spawn_get(pool, URL);
    let mut peer = peer(listener).await;
    peer.read_head().await.unwrap();
    (sent, peer)
}

/// The error of `future`, and the time that passed until it came.
async fn timed<T: std::fmt::Debug>(
    future: impl Future<Output = Result<T, Error>>,
) -> (Error, Duration) {
    let begun = Instant::now();
    let error = future.await.unwrap_err();
    (error, begun.elapsed())
}

/// Polls once; whether that was not enough.
async fn waits<F: Future>(mut future: Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// The next frame, for which the reader asks after `reader`, and which the peer writes `writer`
/// after that.
async fn slow_frame(
    body: &mut Body,
    peer: &mut Peer<MemoryStream>,
    reader: Duration,
    writer: Duration,
) -> Result<bytes::Bytes, Error> {
    advance(reader).await;
    let mut frame = pin!(body.frame());
    if waits(frame.as_mut()).await {
        advance(writer).await;
        peer.write("3\r\nabc\r\n").await.unwrap();
    }
    let frame = frame.await.expect("a frame")?;
    Ok(frame.into_data().expect("data"))
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_total_covers_the_wait_for_a_connection() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let builder = one_connection_on(&network).request_timeout(Some(secs(20)));
    let pool = builder.response_header_timeout(None).build().unwrap();
    let (first, mut peer) = held(&pool, &listener).await;
    let (error, after) = timed(pool.get(URL).timeout(secs(5)).send()).await;
    assert_eq!(after, secs(5));
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.phase(), Some(Phase::Acquire));
    assert_eq!(error.request_sent(), RequestSent::No);
    assert_eq!(error.origin().unwrap().to_string(), "http://a.test");
    assert_eq!(pool.stats().total.waiting, 0);
    peer.respond("200 OK", "first").await.unwrap();
    assert_eq!(first.await.unwrap().unwrap(), "first");
}

/// TO-01, TO-06
#[tokio::test(start_paused = true)]
async fn the_total_covers_the_wait_for_the_head() {
    let (network, listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(20))));
    let begun = Instant::now();
    let (sent, mut peer) = held(&pool, &listener).await;
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(20));
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.phase(), Some(Phase::Exchange));
    assert_eq!(error.request_sent(), RequestSent::Maybe);
    peer.closed().await;
    assert_eq!(network.open_connections(), 0);
}

/// TO-01, TO-06
#[tokio::test(start_paused = true)]
async fn the_total_covers_the_response_body_and_what_came_before_it() {
    let (network, listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(20))));
    let begun = Instant::now();
    let (sent, mut peer) = held(&pool, &listener).await;
    advance(secs(12)).await;
    peer.write(STREAM_HEAD).await.unwrap();
    peer.write("3\r\nabc\r\n").await.unwrap();
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(20));
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(error.phase(), Some(Phase::Body));
    peer.closed().await;
    assert_eq!(
        (network.open_connections(), pool.stats().total.active),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_here_when_the_time_is_up_counts() {
    let (_network, listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(20))));
    let (sent, mut peer) = held(&pool, &listener).await;
    advance(secs(20) - Duration::from_millis(1)).await;
    peer.respond("200 OK", "in time").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), "in time");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_came_in_time_is_there_for_a_late_reader() {
    let (_network, listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(5))));
    let sending = tokio::spawn(pool.get(URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
    peer.write(head).await.unwrap();
    let response = sending.await.unwrap().unwrap();
    peer.write("abc").await.unwrap();
    settle().await;
    advance(secs(60)).await;
    assert_eq!(response.text().await.unwrap(), "abc");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_a_time_of_its_own_by_the_pool_or_by_the_host() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let other = network.listen("b.test:80");
    let host = HostConfig::new().attempt_timeout(secs(7));
    let builder = on(&network).attempt_timeout(Some(secs(2)));
    let pool = builder.host("b.test", host).build().unwrap();
    for (url, listener, limit) in [(URL, &listener, 2), ("http://b.test/", &other, 7)] {
        let (error, after) = timed(pool.get(url).no_retry().send()).await;
        assert_eq!(after, secs(limit), "{url}");
        assert_eq!(error.kind(), ErrorKind::AttemptTimeout);
        assert_eq!(error.phase(), Some(Phase::Exchange));
        assert_eq!(error.request_sent(), RequestSent::Maybe);
        assert!(error.is_timeout());
        let mut peer = peer(listener).await;
        assert!(peer.read_head().await.unwrap().starts_with("GET"));
        peer.closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_timeout_covers_the_wait_for_a_connection_and_leaves_the_body_alone() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let builder = one_connection_on(&network).attempt_timeout(Some(secs(2)));
    let pool = builder.without_retry().build().unwrap();
    let sending = tokio::spawn(pool.get(URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.write(STREAM_HEAD).await.unwrap();
    let response = sending.await.unwrap().unwrap();

    let (error, after) = timed(pool.get(URL).send()).await;
    assert_eq!((error.kind(), after), (ErrorKind::AttemptTimeout, secs(2)));
    assert_eq!(error.phase(), Some(Phase::Acquire));
    assert_eq!(error.request_sent(), RequestSent::No);

    let reading = tokio::spawn(response.text());
    advance(secs(60)).await;
    peer.write("3\r\nabc\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), "abc");
}

/// TO-02
#[tokio::test(start_paused = true)]
async fn an_attempt_longer_than_what_is_left_of_the_total_ends_by_the_total() {
    let (_network, _listener, pool) = pool_and_listener(|b| b.attempt_timeout(Some(secs(9))));
    let (error, after) = timed(pool.get(URL).timeout(secs(4)).send()).await;
    assert_eq!(
        (error.kind(), after),
        (ErrorKind::DeadlineExceeded, secs(4))
    );
    let (error, after) = timed(pool.get(URL).timeout(secs(10)).no_retry().send()).await;
    assert_eq!((error.kind(), after), (ErrorKind::AttemptTimeout, secs(9)));
}

/// TO-01, TO-06
#[tokio::test(start_paused = true)]
async fn the_response_header_timeout_begins_with_the_connection() {
    let (network, listener, pool) =
        pool_and_listener(|b| b.response_header_timeout(Some(secs(6))).without_retry());
    let hold = network.hold_dials();
    let begun = Instant::now();
    let sent = spawn_get(&pool, URL);
    hold.arrived(1).await;
    advance(secs(10)).await;
    drop(hold);
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(16));
    assert_eq!(error.kind(), ErrorKind::ResponseTimeout);
    assert_eq!(error.phase(), Some(Phase::Exchange));
    assert_eq!(error.request_sent(), RequestSent::Maybe);
    assert!(error.to_string().contains("6s"), "{error}");
    peer.closed().await;
}

/// LIM-11, TO-01
#[tokio::test(start_paused = true)]
async fn the_acquire_timeout_tells_how_long_it_waited_and_what_was_in_use() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = on(&network)
        .max_connections_per_host(2)
        .max_idle_per_host(2)
        .acquire_timeout(Some(secs(5)))
        .build()
        .unwrap();
    let _first = held(&pool, &listener).await;
    let _second = held(&pool, &listener).await;
    let (error, after) = timed(pool.get(URL).send()).await;
    assert_eq!(after, secs(5));
    assert_eq!(assert_acquire_timeout(&error), (secs(5), 2, 2));
    assert_eq!(error.phase(), Some(Phase::Acquire));
    assert_eq!(error.request_sent(), RequestSent::No);
    let stats = pool.stats().total;
    assert_eq!((stats.waiting, stats.active), (0, 2));
}

/// LIM-11
#[tokio::test(start_paused = true)]
async fn an_acquire_timeout_names_the_limit_on_connections_in_all_when_that_is_the_one() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let _other = network.listen("b.test:80");
    let pool = on(&network)
        .max_connections(Some(1))
        .acquire_timeout(Some(secs(5)))
        .build()
        .unwrap();
    let _first = held(&pool, &listener).await;
    let (error, after) = timed(pool.get("http://b.test/").send()).await;
    assert_eq!(after, secs(5));
    assert_eq!(assert_acquire_timeout(&error), (secs(5), 1, 1));
}

/// LIM-05, LIM-06, LIM-11
#[tokio::test(start_paused = true)]
async fn one_that_waited_too_long_costs_nobody_else_its_place() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let builder = one_connection_on(&network).acquire_timeout(Some(secs(5)));
    let pool = builder.build().unwrap();
    let (first, mut peer) = held(&pool, &listener).await;
    let mut waiting = Vec::new();
    for path in ["a", "b", "c", "d"] {
        waiting.push(spawn_get(&pool, &format!("http://a.test/{path}")));
        settle().await;
        advance(secs(1)).await;
    }
    assert_eq!(pool.stats().total.waiting, 4);
    // The first has waited for five seconds, the last for two.
    advance(secs(1)).await;
    settle().await;
    let error = waiting.remove(0).await.unwrap().unwrap_err();
    assert_eq!(assert_acquire_timeout(&error), (secs(5), 1, 1));
    // The third gives up by itself.
    waiting.remove(1).abort();
    settle().await;
    assert_eq!(pool.stats().total.waiting, 2);
    peer.respond("200 OK", "first").await.unwrap();
    assert_eq!(first.await.unwrap().unwrap(), "first");
    for path in ["b", "d"] {
        let head = peer.read_head().await.unwrap();
        assert!(head.starts_with(&format!("GET /{path} ")), "{head}");
        peer.respond("200 OK", path).await.unwrap();
        assert_eq!(waiting.remove(0).await.unwrap().unwrap(), path);
    }
    assert_eq!(network.dials(), 1);
}

/// LIM-11
#[tokio::test(start_paused = true)]
async fn an_acquire_timeout_of_zero_takes_what_is_free_and_does_not_wait() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let builder = one_connection_on(&network).acquire_timeout(Some(Duration::ZERO));
    let pool = builder.build().unwrap();
    // Nothing is open yet, and no dial begins: connections come from a warm-up.
    let (error, after) = timed(pool.get(URL).send()).await;
    assert_eq!(after, Duration::ZERO);
    assert_acquire_timeout(&error);
    assert_eq!(network.dials(), 0);
    let origin = Origin::parse(URL).unwrap();
    assert_eq!(pool.transport().unwrap().warm(&origin, 1).await.unwrap(), 1);
    let (first, mut peer) = held(&pool, &listener).await;
    let (error, after) = timed(pool.get(URL).send()).await;
    assert_eq!(after, Duration::ZERO);
    assert_eq!(assert_acquire_timeout(&error), (Duration::ZERO, 1, 1));
    peer.respond("200 OK", "first").await.unwrap();
    assert_eq!(first.await.unwrap().unwrap(), "first");
}

/// LIM-12
#[tokio::test(start_paused = true)]
async fn one_waiter_more_than_may_wait_is_refused_at_once() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let builder = one_connection_on(&network).max_waiting_per_host(Some(1));
    let pool = builder.build().unwrap();
    let (first, mut peer) = held(&pool, &listener).await;
    let second = spawn_get(&pool, URL);
    settle().await;
    let (error, after) = timed(pool.get(URL).send()).await;
    assert_eq!(
        (error.kind(), after),
        (ErrorKind::QueueFull, Duration::ZERO)
    );
    assert_eq!(error.request_sent(), RequestSent::No);
    for sent in [first, second] {
        peer.respond("200 OK", "ok").await.unwrap();
        assert_eq!(sent.await.unwrap().unwrap(), "ok");
    }
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_dial_timeout_ends_a_dial_and_the_next_one_begins_anew() {
    let (network, listener, pool) = pool_and_listener(|b| b.dial_timeout(Some(secs(3))));
    let hold = network.hold_dials();
    let (error, after) = timed(pool.get(URL).no_retry().send()).await;
    assert_eq!((error.kind(), after), (ErrorKind::ConnectTimeout, secs(3)));
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert_eq!(error.request_sent(), RequestSent::No);
    assert!(error.is_connect() && error.is_timeout());
    assert!(error.to_string().contains("http://a.test"), "{error}");
    assert_eq!((hold.waiting(), pool.stats().total.dial_failures), (0, 1));
    drop(hold);
    let (sent, mut peer) = held(&pool, &listener).await;
    peer.respond("200 OK", "ok").await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap(), "ok");
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_handshake_timeout_ends_a_handshake_that_the_peer_does_not_answer() {
    let network = Network::new();
    let listener = network.listen("a.test:443");
    let ca = standpipe_test::Ca::new();
    let builder = on(&network).tls_handshake_timeout(Some(secs(4)));
    let pool = builder.tls_config(ca.client_config(&[])).build().unwrap();
    let (error, after) = timed(pool.get("https://a.test/").no_retry().send()).await;
    assert_eq!((error.kind(), after), (ErrorKind::TlsTimeout, secs(4)));
    assert_eq!(error.phase(), Some(Phase::Dial));
    assert!(error.is_tls() && error.is_timeout());
    peer(&listener).await.closed().await;
    assert_eq!(network.open_connections(), 0);
}

/// TO-01, TO-04
#[tokio::test(start_paused = true)]
async fn the_body_idle_timeout_counts_silence_and_not_the_reader() {
    let (_network, listener, pool) = pool_and_listener(|b| b.body_idle_timeout(Some(secs(5))));
    let sending = tokio::spawn(pool.get(URL).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    peer.write(STREAM_HEAD).await.unwrap();
    let mut body = sending.await.unwrap().unwrap().into_body();
    for _ in 0..3 {
        // The reader takes its time, and then the peer does.
        let frame = slow_frame(&mut body, &mut peer, secs(30), secs(4)).await;
        assert_eq!(frame.unwrap(), "abc");
    }
    let begun = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(5));
    assert_eq!(error.kind(), ErrorKind::BodyIdleTimeout);
    assert_eq!(error.phase(), Some(Phase::Body));
    peer.closed().await;
}

/// TO-01
#[tokio::test(start_paused = true)]
async fn the_write_idle_timeout_ends_an_upload_that_the_peer_does_not_take() {
    let network = Network::with_buffer_size(1024);
    let listener = network.listen("a.test:80");
    let builder = on(&network).write_idle_timeout(Some(secs(6)));
    let pool = builder.build().unwrap();
    let begun = Instant::now();
    let sent = tokio::spawn(pool.post(URL).body(vec![0; 100_000]).send());
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    settle().await;
    // Whatever the peer takes sets the clock anew.
    advance(secs(5)).await;
    peer.read_exact_body(4096).await.unwrap();
    settle().await;
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(11));
    assert_eq!(error.kind(), ErrorKind::WriteTimeout);
    assert_eq!(error.phase(), Some(Phase::Exchange));
}

fn streaming(timeout: RequestTimeout) -> Request<Body> {
    let request = Request::get(URL).extension(timeout);
    request.body(Body::empty()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_streaming_timeout_of_the_request_takes_the_place_of_the_total() {
    let (_network, listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(10))));
    let sending = tokio::spawn(pool.execute(streaming(RequestTimeout::streaming(secs(5)))));
    let mut peer = peer(&listener).await;
    peer.read_head().await.unwrap();
    // No total: the head may take longer than the pool's.
    advance(secs(11)).await;
    peer.write(STREAM_HEAD).await.unwrap();
    let mut body = sending.await.unwrap().unwrap().into_body();
    for _ in 0..10 {
        let frame = slow_frame(&mut body, &mut peer, secs(30), secs(4)).await;
        assert_eq!(frame.unwrap(), "abc");
    }
    let begun = Instant::now();
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(begun.elapsed(), secs(5));
    assert_eq!(error.kind(), ErrorKind::BodyIdleTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_any_timeout_waits_for_ever() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let builder = one_connection_on(&network).response_header_timeout(None);
    let pool = builder.request_timeout(None).build().unwrap();
    let (first, mut peer) = held(&pool, &listener).await;
    let second = spawn_get(&pool, URL);
    settle().await;
    advance(secs(86_400 * 365)).await;
    settle().await;
    for sent in [first, second] {
        assert!(!sent.is_finished());
        peer.respond("200 OK", "late").await.unwrap();
        assert_eq!(sent.await.unwrap().unwrap(), "late");
        // The second request follows on the same connection.
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_the_request_has_already_holds() {
    let (_network, _listener, pool) = pool_and_listener(|b| b.request_timeout(Some(secs(10))));
    let mut request = streaming(RequestTimeout::none());
    Deadline::after(secs(3)).attach(&mut request);
    let (error, after) = timed(pool.execute(request)).await;
    assert_eq!(
        (error.kind(), after),
        (ErrorKind::DeadlineExceeded, secs(3))
    );
    let mut foreign = Request::new(http_body_util::Empty::<bytes::Bytes>::new());
    *foreign.uri_mut() = http::Uri::from_static(URL);
    Deadline::after(secs(2)).attach(&mut foreign);
    let (error, after) = timed(pool.execute(foreign)).await;
    assert_eq!(
        (error.kind(), after),
        (ErrorKind::DeadlineExceeded, secs(2))
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_time_is_up_already_sends_nothing() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    let (sent, mut peer) = held(&pool, &listener).await;
    peer.respond("200 OK", "ok").await.unwrap();
    sent.await.unwrap().unwrap();
    assert_eq!(pool.stats().total.idle, 1);
    let (error, after) = timed(pool.get(URL).timeout(Duration::ZERO).send()).await;
    assert_eq!(
        (error.kind(), after),
        (ErrorKind::DeadlineExceeded, Duration::ZERO)
    );
    settle().await;
    assert!(peer.surplus().is_empty());
}

/// TO-07
#[tokio::test(start_paused = true)]
async fn the_longest_duration_there_is_overflows_nothing() {
    const MAX: Option<Duration> = Some(Duration::MAX);
    type Change = fn(PoolBuilder) -> PoolBuilder;
    let table: &[(&str, Change)] = &[
        ("idle_timeout", |b| b.idle_timeout(MAX)),
        ("max_connection_lifetime", |b| {
            b.max_connection_lifetime(MAX)
        }),
        ("acquire_timeout", |b| b.acquire_timeout(MAX)),
        ("dial_timeout", |b| b.dial_timeout(MAX)),
        ("tls_handshake_timeout", |b| b.tls_handshake_timeout(MAX)),
        ("response_header_timeout", |b| {
            b.response_header_timeout(MAX)
        }),
        ("body_idle_timeout", |b| b.body_idle_timeout(MAX)),
        ("write_idle_timeout", |b| b.write_idle_timeout(MAX)),
        ("attempt_timeout", |b| b.attempt_timeout(MAX)),
        ("request_timeout", |b| b.request_timeout(MAX)),
        ("host_idle_timeout", |b| b.host_idle_timeout(MAX)),
        ("nothing", |b| b),
    ];
    let mut failed = Vec::new();
    for (field, change) in table {
        if !tokio::spawn(slow_exchange(*change))
            .await
            .is_ok_and(|ok| ok)
        {
            failed.push(field);
        }
    }
    assert!(failed.is_empty(), "overflow in {failed:?}");
}

/// An exchange in which every clock is set: a dial, an upload and a body are waited for.
async fn slow_exchange(change: impl FnOnce(PoolBuilder) -> PoolBuilder) -> bool {
    let network = Network::with_buffer_size(1024);
    let listener = network.listen("a.test:80");
    let pool = change(on(&network)).build().unwrap();
    let hold = network.hold_dials();
    let request = pool.post(URL).body(vec![b'x'; 5000]).timeout(Duration::MAX);
    let sending = tokio::spawn(async move { request.send().await?.text().await });
    hold.arrived(1).await;
    settle().await;
    drop(hold);
    let mut peer = peer(&listener).await;
    let served = async {
        peer.read_head().await?;
        settle().await;
        peer.read_exact_body(5000).await?;
        settle().await;
        peer.write(STREAM_HEAD).await?;
        settle().await;
        peer.write("3\r\nabc\r\n0\r\n\r\n").await
    };
    served.await.is_ok()
        && sending
            .await
            .is_ok_and(|text| text.is_ok_and(|text| text == "abc"))
}
