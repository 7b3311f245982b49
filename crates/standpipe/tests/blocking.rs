//! The pool for code that is not async.
#![cfg(all(feature = "blocking", feature = "form", feature = "json"))]

mod support;

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use standpipe::{ErrorKind, HostConfig, Origin, PoolBuilder, blocking};
use standpipe_test::Server;
use standpipe_test::memory::Network;
use support::{URL, assert_line, echo, echoed_body, on, peer, secs};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A thread that serves `a.test` until this is dropped.
struct Serving {
    network: Network,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn new() -> Self {
        let network = Network::new();
        let listener = network.listen("a.test:80");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async move {
                let _server = Server::builder().handler(serve).start_on(listener);
                let _ = stopped.await;
            });
        });
        Self {
            network,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn builder(&self) -> PoolBuilder {
        on(&self.network)
    }

    fn pool(&self) -> blocking::Pool {
        self.builder().build_blocking().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))) || std::thread::panicking());
    }
}

const LARGE: usize = 1 << 20;

async fn serve<B>(request: Request<B>) -> Response<Full<Bytes>>
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let answer = Response::builder();
    match request.uri().path() {
        "/missing" => answer.status(404).body(Full::from("none")),
        "/large" => answer.body(Full::from(vec![b'x'; LARGE])),
        "/json" => answer.body(Full::from("[1, 2]")),
        "/lines" => answer.body(Full::from("one\ntwo\nthree")),
        "/events" => answer
            .header("content-type", "text/event-stream")
            .body(Full::from("id: 1\ndata: a\n\ndata: b\n\ndata: [DONE]\n\n")),
        _ => return echo(request).await,
    }
    .unwrap()
}

fn get(pool: &blocking::Pool) -> String {
    pool.get(URL).send().unwrap().text().unwrap()
}

fn at(path: &str) -> String {
    format!("http://a.test{path}")
}

#[test]
fn the_calls_are_those_of_the_async_pool() {
    let serving = Serving::new();
    let pool = serving.pool();
    let made = pool
        .post(URL)
        .query(&[("q", "1")])
        .header("x-one", "1")
        .bearer_auth("token")
        .json(&[1, 2]);
    let text = made
        .send()
        .unwrap()
        .error_for_status()
        .unwrap()
        .text()
        .unwrap();
    for line in [
        "POST /?q=1",
        "x-one: 1",
        "authorization: Bearer token",
        "content-type: application/json",
    ] {
        assert_line(&text, line);
    }
    assert_eq!(echoed_body(&text), "[1,2]");

    let numbers: Vec<u8> = pool.get(at("/json")).send().unwrap().json().unwrap();
    assert_eq!(numbers, [1, 2]);
    let missing = pool.get(at("/missing")).send().unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(missing.error_for_status_ref().is_err());
    assert_eq!(missing.bytes().unwrap(), "none");
    let wrong = pool.get("no url").send().unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidRequest);
    let client = pool.get_ref().host_client(at("/v1/")).unwrap();
    let text = pool.blocking(client.get("models")).send().unwrap().text();
    assert_line(&text.unwrap(), "GET /v1/models");
    let request = pool.put(URL).body("text").build().unwrap();
    let text = pool.execute(request).unwrap().text().unwrap();
    assert_line(&text, "PUT /");
}

#[test]
fn a_body_is_read_as_it_comes_and_the_rest_of_it_at_once() {
    let serving = Serving::new();
    let pool = serving.pool();
    let mut all = Vec::new();
    let mut response = pool.get(at("/large")).send_streaming().unwrap();
    response.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), LARGE);
    assert_eq!(response.read(&mut [0; 8]).unwrap(), 0);

    let mut response = pool.get(at("/lines")).send().unwrap();
    let mut first = [0; 4];
    response.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"one\n");
    assert_eq!(response.text().unwrap(), "two\nthree");

    let mut response = pool.get(at("/large")).send().unwrap();
    response.read_exact(&mut first).unwrap();
    let rest = response.chunk().unwrap().unwrap().len();
    let more: usize = response
        .bytes_iter()
        .map(|chunk| chunk.unwrap().len())
        .sum();
    assert_eq!(first.len() + rest + more, LARGE);

    let limited = pool.get(at("/large")).send().unwrap().max_bytes(10);
    let error = limited.bytes().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge { limit: 10 });
}

#[test]
fn lines_and_events_are_iterators() {
    let serving = Serving::new();
    let pool = serving.pool();
    let lines = pool.get(at("/lines")).send().unwrap().lines();
    let lines: Vec<_> = lines.map(Result::unwrap).collect();
    assert_eq!(lines, ["one", "two", "three"]);

    let response = pool.get(at("/events")).send_streaming().unwrap();
    let mut events = response
        .events()
        .unwrap()
        .map_inner(|events| events.ends_when(|event| event.data() == "[DONE]"));
    let data: Vec<_> = events
        .by_ref()
        .map(|event| event.unwrap().data().to_owned())
        .collect();
    assert_eq!(data, ["a", "b", "[DONE]"]);
    assert_eq!(events.get_ref().last_event_id(), "1");
}

#[test]
fn a_reader_is_sent_piece_by_piece_and_its_error_ends_the_request() {
    let serving = Serving::new();
    let pool = serving.builder().max_retries(0).build_blocking().unwrap();
    let sent: Vec<u8> = (0..LARGE).map(|n| b'a' + (n % 23) as u8).collect();
    let request = pool.post(URL).body_from_reader(Cursor::new(sent.clone()));
    let text = request.send().unwrap().text().unwrap();
    assert!(echoed_body(&text).as_bytes() == sent);

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("unplugged"))
        }
    }
    let error = pool.post(URL).body_from_reader(Broken).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.to_string().contains("unplugged"), "{cause}");
}

#[test]
fn within_what_tokio_polls_each_call_is_refused_with_what_to_do() {
    let serving = Serving::new();
    let pool = serving.pool();
    let response = pool.get(URL).send().unwrap();
    let lines = pool.get(at("/lines")).send().unwrap().lines();
    let runtime = runtime();
    runtime.block_on(async {
        let told: Vec<_> = lines.take(9).map(|line| line.unwrap_err().kind()).collect();
        assert_eq!(told, [ErrorKind::Runtime]);
        let made = serving.pool();
        for error in [
            made.get(URL).send().unwrap_err(),
            made.get(URL).send_streaming().unwrap_err(),
            made.warm(URL, 1).unwrap_err(),
            response.text().unwrap_err(),
            made.shutdown(secs(1)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Runtime);
            let told = error.to_string();
            assert!(told.contains("use standpipe::Pool there"), "{told}");
            assert!(told.contains("spawn_blocking"), "{told}");
        }
        assert_eq!(made.get_ref().stats().total.created, 0);
    });
    let get = move || pool.get(URL).send().unwrap().status();
    let got = runtime.block_on(async { tokio::task::spawn_blocking(get).await });
    assert_eq!(got.unwrap(), StatusCode::OK);
}

/// A hook of the pool's that calls the pool: on the thread of who waits it works.
#[test]
fn a_hook_may_send_a_request_of_its_own() {
    let serving = Serving::new();
    let other = serving.pool();
    let (tell, told) = channel();
    let pool = serving
        .builder()
        .before_attempt(move |_, _| {
            tell.send(other.get(URL).send().map(|response| response.status()))?;
            Ok(())
        })
        .build_blocking()
        .unwrap();
    assert_eq!(pool.get(URL).send().unwrap().status(), StatusCode::OK);
    assert_eq!(told.recv().unwrap().unwrap(), StatusCode::OK);
}

#[test]
fn threads_share_one_pool_and_its_connections() {
    let serving = Serving::new();
    let pool = serving
        .builder()
        .max_connections_per_host(2)
        .max_idle_per_host(2)
        .build_blocking()
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_line(&get(&pool), "GET /");
                }
            });
        }
    });
    let stats = pool.get_ref().stats().total;
    assert!(stats.created <= 2, "{stats:?}");
    assert_eq!(pool.get_ref().metrics().requests.total, 160);
}

#[test]
fn a_response_outlives_the_pool_and_with_it_the_connections_end() {
    let network = Network::new();
    let listener = network.listen("a.test:80");
    let pool = on(&network).build_blocking().unwrap();
    let (read, rest) = oneshot::channel();
    let server = std::thread::spawn(move || {
        runtime().block_on(async move {
            let mut server = peer(&listener).await;
            server.read_head().await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
            server.write(head).await.unwrap();
            rest.await.unwrap();
            server.write("rest").await.unwrap();
            tokio::time::timeout(secs(30), server.closed())
                .await
                .is_ok()
        })
    });
    let response = pool.get(URL).send().unwrap();
    drop(pool);
    read.send(()).unwrap();
    assert_eq!(response.text().unwrap(), "rest");
    assert!(server.join().unwrap());
}

#[test]
fn it_shares_a_pool_with_async_code_and_shuts_it_down() {
    let serving = Serving::new();
    // Of one connection, which the async request has to wait for.
    let shared = serving
        .builder()
        .max_connections_per_host(1)
        .max_idle_per_host(1)
        .build()
        .unwrap();
    let pool = blocking::Pool::over(shared.clone()).unwrap();
    assert_line(&get(&pool), "GET /");
    let text = runtime().block_on(async { shared.get(URL).send().await?.text().await });
    assert_line(&text.unwrap(), "GET /");
    assert_eq!(shared.stats().total.created, 1);

    let report = pool.shutdown(secs(5)).unwrap();
    assert!(report.complete);
    assert!(pool.is_closed() && shared.is_closed());
    let error = pool.get(URL).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shutdown);
}

#[test]
fn it_goes_to_other_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<blocking::Pool>();
    check::<Arc<blocking::Pool>>();
    fn send<T: Send + 'static>() {}
    send::<blocking::Response>();
    send::<blocking::RequestBuilder>();
}

#[test]
fn a_pool_is_looked_at_and_changed_as_the_async_one() {
    let serving = Serving::new();
    let pool = serving.pool();
    let origin = Origin::parse(URL).unwrap();
    assert!(pool.circuit_breaker(&origin).is_none());
    let idle = || pool.stats().total.idle;
    assert_eq!((pool.warm(URL, 2).unwrap(), idle()), (2, 2));
    pool.close_idle_of(&Origin::parse("http://b.test/").unwrap());
    assert_eq!(idle(), 2);
    pool.close_idle_of(&origin);
    assert_eq!(idle(), 0);
    let other = serving.pool();
    assert_eq!(other.warm(URL, 1).unwrap(), 1);
    other.close_idle();
    assert_eq!(other.stats().total.idle, 0);

    let config = HostConfig::new()
        .default_header("x-version", "2")
        .rate_limit(standpipe::RateLimitConfig {
            max_concurrent: std::num::NonZeroUsize::new(3),
            ..standpipe::RateLimitConfig::per_minute(std::num::NonZeroU32::MAX)
        });
    pool.configure_host("a.test", &config).unwrap();
    assert_eq!(pool.host_configs(), [("a.test".to_owned(), config)]);
    let refused = pool.configure_host("", HostConfig::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);

    let client = pool.host_client("http://a.test/v1/").unwrap();
    let client = client.header("x-own", "1").unwrap();
    assert_eq!(client.base(), "http://a.test/v1/");
    let echo = client.get("models").send().unwrap().text().unwrap();
    for line in ["GET /v1/models", "x-own: 1", "x-version: 2"] {
        assert_line(&echo, line);
    }
    let begin = [
        ("POST", client.post("x")),
        ("PUT", client.put("x")),
        ("PATCH", client.patch("x")),
        ("DELETE", client.delete("x")),
        ("OPTIONS", client.request(http::Method::OPTIONS, "x")),
    ];
    for (method, request) in begin {
        let echo = request.send().unwrap().text().unwrap();
        assert_line(&echo, &format!("{method} /v1/x"));
    }

    assert_eq!(pool.config(), pool.get_ref().config());
    assert_eq!(pool.metrics().requests.total, 6);
    let of_host = pool.host_metrics("a.test").unwrap();
    assert_eq!(of_host.requests.successful, 6);
    assert!(pool.circuit_breaker(&origin).is_some());
    assert!(pool.rate_limiter(&origin).is_some());
    assert_eq!(pool.concurrency_limit(&origin).unwrap().limit(), 3);
    assert!(pool.transport().is_some());
    assert!(!pool.is_closed());
}
