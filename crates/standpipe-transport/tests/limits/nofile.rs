//! A process whose system allows it few file descriptors: the tests run themselves again, under
//! `ulimit -n`.

use std::fs::File;
use std::future::Future;
use std::process::Command;
use std::sync::Arc;

use standpipe_core::sync::Mutex;
use standpipe_core::{ConnectionFacts, Error, Origin};
use standpipe_test::Server;
use standpipe_transport::{CloseReason, PoolEvents, Transport};

use crate::support::{answer_to, echoing, fetch, get, send, stats, until};

/// The URLs of the servers, which run in the process that has descriptors enough.
const URLS: &str = "STANDPIPE_TEST_URLS";

/// Runs `within` in a process of its own that may have `descriptors` open, and there alone; `test` is
/// the name of the test that calls this.
fn under_a_limit<F>(
    test: &str,
    descriptors: usize,
    servers: usize,
    within: impl FnOnce(Vec<String>) -> F,
) where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let Ok(urls) = std::env::var(URLS) {
        return runtime.block_on(within(urls.split(' ').map(str::to_owned).collect()));
    }
    let mut started: Vec<Server> = Vec::new();
    for _ in 0..servers {
        started.push(runtime.block_on(echoing().start()));
    }
    let urls: Vec<_> = started.iter().map(|server| server.url("/")).collect();
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(URLS, urls.join(" "))
        .status();
    assert!(status.unwrap().success(), "see above");
}

/// Opens files until the system refuses; the descriptors are free when they are dropped.
fn all_descriptors() -> Vec<File> {
    let files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(files.len() < 1_000, "the limit holds");
    files
}

/// RES-01
#[test]
fn a_process_without_descriptors_gives_up_idle_connections_first_and_recovers() {
    let name = "nofile::a_process_without_descriptors_gives_up_idle_connections_first_and_recovers";
    under_a_limit(name, 60, 2, async |urls| {
        let transport = Transport::builder().max_idle_per_host(20).build().unwrap();
        let sent: Vec<_> = (0..20).map(|_| send(&transport, get(&urls[0]))).collect();
        for sent in sent {
            answer_to(sent).await.unwrap();
        }
        let idle = stats(&transport).idle;
        assert!(idle > 1, "{idle}");

        // Another origin gets what idled.
        let files = all_descriptors();
        fetch(&transport, get(&urls[1])).await.unwrap();
        let given_up = || stats(&transport).closed.of(CloseReason::Descriptors);
        until(|| given_up() == idle as u64).await;
        assert_eq!(stats(&transport).dial_failures, 1);

        // Where nothing idles there is an error, at once and after one try.
        let more = all_descriptors();
        until(|| stats(&transport).active == 0).await;
        transport.close_idle();
        until(|| stats(&transport).active + stats(&transport).idle == 0).await;
        let rest = all_descriptors();
        let error = fetch(&transport, get(&urls[1])).await.unwrap_err();
        assert!(error.kind().is_local(), "{error:?}");
        assert_eq!(stats(&transport).dial_failures, 2);

        drop((files, more, rest));
        fetch(&transport, get(&urls[1])).await.unwrap();
        assert_eq!(stats(&transport).dial_failures, 2);
    });
}

/// Counts this process's descriptors whenever a connection was opened.
#[derive(Clone, Default)]
struct Peak {
    most: Arc<Mutex<usize>>,
    failed: Arc<Mutex<Vec<String>>>,
}

impl PoolEvents for Peak {
    fn created(&self, _: &Origin, _: &ConnectionFacts) {
        // One at a time, for to look takes a descriptor.
        let mut most = self.most.lock();
        *most = open().map_or(usize::MAX, |open| open.max(*most));
    }

    fn dial_failed(&self, _: &Origin, error: &Error) {
        self.failed.lock().push(error.to_string());
    }
}

/// How many descriptors this process has open.
fn open() -> std::io::Result<usize> {
    // The directory's own is one of them.
    Ok(std::fs::read_dir("/proc/self/fd")?.count() - 1)
}

/// RES-03
#[test]
#[cfg(target_os = "linux")]
fn no_more_descriptors_are_open_than_connections_are_allowed() {
    const LIMIT: usize = 6;
    let name = "nofile::no_more_descriptors_are_open_than_connections_are_allowed";
    under_a_limit(name, 60, 4, async |urls| {
        let peak = Peak::default();
        let transport = Transport::builder()
            .max_connections(Some(LIMIT))
            .events(peak.clone())
            .build()
            .unwrap();
        let before = open().unwrap();
        // From here on the system itself allows no socket more, but for the one that looks.
        let mut files = all_descriptors();
        files.truncate(files.len() - LIMIT - 1);
        let others = files.len();
        for round in 0..5 {
            let sent: Vec<_> = (0..120)
                .map(|n| send(&transport, get(&urls[(n + round) % urls.len()])))
                .collect();
            for (n, sent) in sent.into_iter().enumerate() {
                if n % 7 == 0 {
                    sent.abort();
                } else {
                    answer_to(sent).await.unwrap();
                }
            }
        }
        assert_eq!(*peak.failed.lock(), Vec::<String>::new());
        let most = *peak.most.lock();
        assert!(
            most <= before + others + LIMIT,
            "{most} of {before} and {others}"
        );
        assert!(
            stats(&transport).created > LIMIT as u64,
            "places were passed on"
        );
    });
}
