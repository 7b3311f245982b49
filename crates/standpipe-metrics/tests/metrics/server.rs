//! Beside a real server's own count.

use super::*;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Either, Empty, Full, StreamBody};
use standpipe_test::{Server, memory::Network};
use standpipe_transport::Transport;
use tokio::sync::Semaphore;

const REQUESTS: usize = 6_000;

type Broken = StreamBody<stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, BoxError>, 2>>>;
type Reply = Either<Full<Bytes>, Either<Empty<Bytes>, Broken>>;

/// Answers by the path; `/hold` never, and `/break` with a body that ends the connection before the
/// head is out.
async fn handle(path: String) -> Response<Reply> {
    match path.as_str() {
        "/hold" => std::future::pending().await,
        "/break" => {
            let frames = [Ok(Frame::data(Bytes::from("half"))), Err("the rest".into())];
            let body = StreamBody::new(stream::iter(frames));
            Response::new(Either::Right(Either::Right(body)))
        }
        "/503" => {
            let body = Either::Right(Either::Left(Empty::new()));
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
        _ => Response::new(Either::Left(Full::from("hello, client"))),
    }
}

fn server(network: &Network) -> Server {
    Server::builder()
        .http1()
        .handler(|request| handle(request.uri().path().to_owned()))
        .start_on(network.listen("a.test:80"))
}

/// With failures, and cancellations after the server had the head: exactly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_agree_with_what_a_real_server_counted() {
    let network = Network::new();
    let server = server(&network);
    let transport = Transport::builder().connector(network.connector());
    let registry = Registry::new();
    let service = attempts(&registry, transport.build().unwrap());
    let at_once = Arc::new(Semaphore::new(32));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..REQUESTS {
        let permit = at_once.clone().acquire_owned().await.unwrap();
        let service = service.clone();
        tasks.spawn(async move {
            let path = match n % 10 {
                0 => "503",
                1 if n % 50 == 1 => "break",
                _ => "200",
            };
            let answer = ask(&service, &format!("http://a.test/{path}")).await;
            assert_eq!(answer.is_err(), path == "break");
            if let Ok(response) = answer {
                response.into_body().collect().await.unwrap();
            }
            drop(permit);
        });
    }
    tasks.join_all().await;
    let seen = server.stats().requests;
    for n in 0..20 {
        let mut held = Box::pin(ask(&service, "http://a.test/hold"));
        tokio::select! {
            _ = &mut held => unreachable!("it never answers"),
            _ = server.until(|stats| stats.requests == seen + n + 1) => {}
        }
        drop(held);
    }
    let stats = server.stats();
    let metrics = registry.host_metrics("a.test").unwrap();
    let attempts = &metrics.attempts;
    assert_consistent(attempts);
    assert_eq!(attempts.total, stats.requests as u64);
    assert_eq!(attempts.total, REQUESTS as u64 + 20);
    assert_eq!(attempts.statuses.server_error, REQUESTS as u64 / 10);
    let broken = REQUESTS as u64 / 50;
    assert_eq!(
        attempts.errors_by_kind,
        [("connection_closed", broken)].into()
    );
    assert_eq!((attempts.cancelled, attempts.in_flight), (20, 0));
    assert_eq!(attempts.bodies.complete, attempts.responses);
    assert_eq!(attempts.bytes_in, 13 * attempts.statuses.success);
    // What the answers say of their connections.
    let reused = metrics.connections.reused;
    let fresh = attempts.responses - reused;
    assert!(
        reused > 0 && fresh <= stats.connections as u64,
        "{metrics:?} {stats:?}"
    );
}
