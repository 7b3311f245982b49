//! One pool in an axum service: two handlers, a background task and a blocking thread share it, and the
//! service's graceful shutdown ends it with nothing lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use standpipe::{ErrorKind, Pool, blocking};
use standpipe_test::{Gate, Server};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// The API behind the service: whoever comes while its gate is shut is kept there.
struct Backend {
    server: Server,
    gate: Gate,
    answered: Arc<AtomicUsize>,
}

impl Backend {
    async fn start() -> Self {
        let (gate, answered) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
        gate.open();
        let (kept, count) = (gate.clone(), Arc::clone(&answered));
        let handler = move |request: http::Request<_>| {
            let (kept, count) = (kept.clone(), Arc::clone(&count));
            async move {
                kept.wait().await;
                count.fetch_add(1, Ordering::SeqCst);
                Response::new(Full::<Bytes>::from(request.uri().path().to_owned()))
            }
        };
        let server = Server::builder().http1().handler(handler).start().await;
        Self {
            server,
            gate,
            answered,
        }
    }
}

/// What the handlers share.
#[derive(Clone)]
struct App {
    pool: Pool,
    backend: Arc<str>,
}

impl App {
    async fn ask(&self, path: &str) -> Result<String, standpipe::Error> {
        let url = format!("{}{path}", self.backend);
        self.pool.get(url).send().await?.text().await
    }
}

type Answer = Result<String, (StatusCode, String)>;

fn answer(asked: Result<String, standpipe::Error>) -> Answer {
    asked.map_err(|error| (StatusCode::BAD_GATEWAY, error.to_string()))
}

/// Asks the API once.
async fn one(State(app): State<App>) -> Answer {
    answer(app.ask("/one").await)
}

/// Asks it twice at a time.
async fn two(State(app): State<App>) -> Answer {
    let (first, second) = tokio::join!(app.ask("/first"), app.ask("/second"));
    Ok(answer(first)? + &answer(second)?)
}

/// Asks the API again and again from a thread of its own, until the pool is shut down; gives how often it
/// was answered, and the pool: others may have their answers by a connection that the thread's runtime drives.
fn ask_from_a_thread(
    pool: blocking::Pool,
    url: String,
    begun: Arc<Notify>,
) -> JoinHandle<(usize, blocking::Pool)> {
    std::thread::spawn(move || {
        let mut answered = 0;
        loop {
            match pool.get(&url).send().and_then(|response| response.text()) {
                Ok(text) => assert_eq!(text, "/thread"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Shutdown, "{error}");
                    return (answered, pool);
                }
            }
            answered += 1;
            begun.notify_one();
        }
    })
}

/// The same in a task.
async fn ask_in_the_background(app: App, begun: Arc<Notify>) -> usize {
    let mut answered = 0;
    loop {
        match app.ask("/background").await {
            Ok(text) => assert_eq!(text, "/background"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Shutdown, "{error}");
                return answered;
            }
        }
        answered += 1;
        begun.notify_one();
    }
}

/// Users of the service, who are not of it: their pool is another.
struct Users {
    pool: Pool,
    asking: JoinSet<(bool, String)>,
}

impl Users {
    fn ask(&mut self, base: &str, times: usize) {
        for n in 0..2 * times {
            let is_one = n % 2 == 0;
            let url = format!("{base}{}", if is_one { "/one" } else { "/two" });
            let request = self.pool.get(url).no_retry();
            self.asking.spawn(async move {
                let response = request.send().await.unwrap().error_for_status().unwrap();
                (is_one, response.text().await.unwrap())
            });
        }
    }

    /// All were answered as they should be; gives how many requests to the API that took.
    async fn all_answered(&mut self) -> usize {
        let mut took = 0;
        while let Some(answer) = self.asking.join_next().await {
            let (is_one, text) = answer.unwrap();
            assert_eq!(text, if is_one { "/one" } else { "/first/second" });
            took += if is_one { 1 } else { 2 };
        }
        took
    }
}

/// How often each handler is asked in a turn.
const EACH: usize = 20;
const CONNECTIONS: usize = 8;

async fn until_waiting(pool: &Pool, waiting: usize) {
    while pool.stats().total.waiting < waiting {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handlers_a_task_and_a_thread_share_a_pool_and_its_shutdown_loses_nothing() {
    let backend = Backend::start().await;
    // Fewer connections than requests: some wait for one while the service shuts down.
    let pool = Pool::builder()
        .max_connections_per_host(CONNECTIONS)
        .max_idle_per_host(CONNECTIONS)
        .build()
        .unwrap();
    let app = App {
        pool: pool.clone(),
        backend: backend.server.url("").into(),
    };
    let of_thread = blocking::Pool::over(pool.clone()).unwrap();
    let (thread_begun, task_begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let thread = ask_from_a_thread(
        of_thread,
        backend.server.url("/thread"),
        Arc::clone(&thread_begun),
    );
    let task = tokio::spawn(ask_in_the_background(app.clone(), Arc::clone(&task_begun)));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (stops, has_stopped) = (Arc::clone(&stop), Arc::clone(&stopped));
    // A request that the service is busy with for as long as the test wishes.
    let hold = Gate::new();
    let held = hold.clone();
    let service = Router::new()
        .route("/one", get(one))
        .route("/two", get(two))
        .route("/hold", get(async move || held.wait().await))
        .with_state(app);
    let shared = pool.clone();
    let serving = tokio::spawn(async move {
        axum::serve(listener, service)
            .with_graceful_shutdown(async move { stops.notified().await })
            .await
            .unwrap();
        has_stopped.store(true, Ordering::SeqCst);
        // Those who were served have their answers: what is left is of the task and the thread.
        shared.shutdown(Duration::from_secs(10)).await
    });

    // All four are at work.
    let mut users = Users {
        pool: Pool::new(),
        asking: JoinSet::new(),
    };
    users.ask(&base, EACH);
    let mut of_users = users.all_answered().await;
    thread_begun.notified().await;
    task_begun.notified().await;

    // The service is told to stop while the API keeps all of its connections waiting.
    backend.gate.close();
    users.ask(&base, EACH);
    backend.gate.arrived(CONNECTIONS).await;
    // Three for two users, one of the task and one of the thread; the service has them all, then.
    until_waiting(&pool, 3 * EACH + 2 - CONNECTIONS).await;
    let last = tokio::spawn(users.pool.get(format!("{base}/hold")).send());
    hold.arrived(1).await;
    stop.notify_one();
    backend.gate.open();
    of_users += users.all_answered().await;

    // The service comes to its end while a request of the task and one of the thread are under way.
    backend.gate.close();
    backend.gate.arrived(2).await;
    assert!(!stopped.load(Ordering::SeqCst));
    hold.open();
    assert!(last.await.unwrap().unwrap().status().is_success());
    while !pool.is_closed() {
        tokio::task::yield_now().await;
    }
    assert!(stopped.load(Ordering::SeqCst));
    backend.gate.open();
    let report = serving.await.unwrap();
    assert!(report.complete, "{report:?}");
    assert_eq!((report.finished, report.cut), (2, 0));
    let of_task = task.await.unwrap();
    let (of_thread, _pool) = tokio::task::spawn_blocking(|| thread.join().unwrap())
        .await
        .unwrap();
    assert!(of_task > 0 && of_thread > 0, "{of_task} and {of_thread}");

    // Each answer of the API reached who asked, and each request was answered.
    let answered = backend.answered.load(Ordering::SeqCst);
    assert_eq!(answered, of_users + of_task + of_thread);
    let seen = backend.server.until(|stats| stats.open == 0).await;
    assert_eq!(seen.requests, answered);
    assert!(seen.peak_open <= CONNECTIONS, "{seen:?}");
}
