//! Four processes under one limit, and a Redis that is away for two seconds of ten.

use std::env;
use std::io::stdin;
use std::ops::RangeInclusive;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use redis::Client;
use standpipe_core::Error;
use standpipe_core::sync::Mutex;
use standpipe_rate_limit::{Quota, RateLimitLayer};
use standpipe_redis::RedisStore;
use standpipe_test::Probe;
use standpipe_test::external::Redis;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

use crate::n;

const URL: &str = "STANDPIPE_FLEET_REDIS";
const RATE: u32 = 200;
const BURST: u32 = 8;
const PROCESSES: u32 = 4;
const TASKS: usize = 25;
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Of the store: enough for a busy machine. A server that is dead refuses at once.
const TIMEOUT: Duration = Duration::from_secs(5);
/// In milliseconds from the beginning.
const KILLED: u64 = 4_000;
const BACK: u64 = 6_000;
const END: u64 = 10_000;

fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// RL-08 RL-09
#[tokio::test]
#[ignore = "needs redis-server"]
async fn four_processes_keep_one_limit_and_their_shares_while_redis_is_away() {
    let mut redis = Redis::start().await.unwrap();
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Process::start(&redis.url()));
    }
    for process in &mut processes {
        process.ready().await;
    }
    let begin = since_1970();
    let stalls = Stalls::watch(begin);
    for process in &mut processes {
        process.begin(begin).await;
    }
    let at = |millis: u64| Duration::from_millis((begin + millis).saturating_sub(since_1970()));
    sleep(at(KILLED)).await;
    redis.stop().unwrap();
    let killed = since_1970() - begin;
    sleep(at(BACK)).await;
    redis.restart().await.unwrap();
    let back = since_1970() - begin;

    let (mut admitted, mut stalls) = (Vec::new(), vec![stalls.all()]);
    for process in processes {
        let (of_one, stalls_of_one) = read(&process.end().await);
        admitted.push(of_one);
        stalls.push(stalls_of_one);
    }
    let within = |from: u64, to: u64| -> Vec<usize> {
        let within = |of_one: &Vec<u64>| of_one.iter().filter(|at| (from..to).contains(at)).count();
        admitted.iter().map(within).collect()
    };
    let rate = f64::from(RATE) / 1_000.0;
    // Less what a machine that stood still for a while cannot have admitted, up to a fifth.
    let at_least = |from: u64, to: u64, share: f64| {
        let quota = rate * (to - from) as f64;
        let within = |&(at, late): &(u64, u64)| (from..to).contains(&at).then_some(late);
        let stalled = stalls
            .iter()
            .map(|of_one| -> u64 { of_one.iter().filter_map(within).sum() });
        let missed = rate * stalled.max().unwrap_or(0) as f64;
        quota * share - missed.min(quota * 0.2)
    };
    // While it is up: within five per cent of the quota.
    // The bucket's burst is on top of it once.
    let burst = f64::from(BURST);
    let quota = rate * killed as f64;
    let range = at_least(0, killed, 0.95)..=(quota * 1.05 + burst);
    assert_within("before", &within(0, killed), quota, range);
    // A probe finds it again after a quarter of a second at the most; with some room.
    let settled = back + 500;
    let quota = rate * (END - settled) as f64;
    let range = at_least(settled, END, 0.95)..=(quota * 1.05 + burst);
    assert_within("after", &within(settled, END), quota, range);
    // While it is away: no more than the shares, which are the quota in all, and what was given
    // ahead by Redis.
    let ahead = f64::from(BURST + PROCESSES * 8);
    let shares = rate * (back - killed) as f64;
    let range = at_least(killed, back, 0.9)..=(shares + burst + ahead);
    assert_within("away", &within(killed, back), shares, range);
}

/// That the processes of the fleet were admitted within `range` in all, and none of them far less than its
/// part of `quota`.
fn assert_within(when: &str, admitted: &[usize], quota: f64, range: RangeInclusive<f64>) {
    println!("{when}: {admitted:?} of {quota}, {range:?}");
    let all = admitted.iter().sum::<usize>() as f64;
    assert!(range.contains(&all), "{when}: {all} of {quota}, {range:?}");
    let part = quota / admitted.len() as f64;
    let starved = |&of_one: &usize| (of_one as f64) < part * 0.25;
    assert!(
        !admitted.iter().any(starved),
        "{when}: {admitted:?} of {part} each"
    );
}

/// When a process got no processor though it should have, and for how long, in milliseconds.
#[derive(Default)]
struct Stalls(Arc<Mutex<Vec<(u64, u64)>>>);

impl Stalls {
    /// From `begin` on; it ends with the runtime.
    fn watch(begin: u64) -> Self {
        let stalls = Self::default();
        let all = stalls.0.clone();
        tokio::spawn(async move {
            let pause = Duration::from_millis(5);
            loop {
                let before = Instant::now();
                sleep(pause).await;
                // A timer of tokio's may ring two milliseconds late.
                let late = before
                    .elapsed()
                    .saturating_sub(pause + Duration::from_millis(2));
                let late = u64::try_from(late.as_millis()).unwrap();
                if late > 0 {
                    all.lock().push((since_1970().saturating_sub(begin), late));
                }
            }
        });
        stalls
    }

    fn all(&self) -> Vec<(u64, u64)> {
        self.0.lock().clone()
    }
}

/// A process of the fleet, as its parent sees it.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(url: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "fleet::one_process_of_the_fleet"])
            .args(["--ignored", "--nocapture"])
            .env(URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Waits until it can begin at once.
    async fn ready(&mut self) {
        let mut line = String::new();
        // The test's name may stand before it.
        while !line.ends_with("ready\n") {
            line.clear();
            let read = self.output.read_line(&mut line).await.unwrap();
            assert!(read > 0, "it ended before it was ready");
        }
    }

    async fn begin(&mut self, begin: u64) {
        let line = format!("{begin}\n");
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).await.unwrap();
    }

    /// What it printed, once it has ended.
    async fn end(mut self) -> String {
        let mut printed = String::new();
        self.output.read_to_string(&mut printed).await.unwrap();
        assert!(self.child.wait().await.unwrap().success(), "{printed}");
        printed
    }
}

/// The admissions that a process printed, in milliseconds from the beginning, and its stalls.
fn read(output: &str) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut admitted, mut stalls) = (Vec::new(), Vec::new());
    let mut done = false;
    for line in output.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["admitted", at] => admitted.push(at.parse().unwrap()),
            ["stalled", at, late] => stalls.push((at.parse().unwrap(), late.parse().unwrap())),
            ["done", started, ended, slowest] => {
                done = true;
                assert_eq!(started, ended, "none is lost");
                let slowest: u128 = slowest.parse().unwrap();
                let longest = (MAX_WAIT + TIMEOUT).as_millis();
                assert!(slowest < longest, "{slowest} ms: none hangs");
            }
            _ => {}
        }
    }
    assert!(done, "a process did not come to its end: {output}");
    (admitted, stalls)
}

/// Not a test by itself: what the processes of the test above run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn one_process_of_the_fleet() {
    let Ok(url) = env::var(URL) else {
        return;
    };
    let store = RedisStore::new(Client::open(url).unwrap(), "fleet", n(PROCESSES))
        .timeout(TIMEOUT)
        .probe_every(Duration::from_millis(250));
    let layer = RateLimitLayer::builder()
        .requests(Quota::per_second(n(RATE)).burst(n(BURST)))
        .max_wait(MAX_WAIT)
        .store(store)
        .build();
    let service = layer.layer(Probe::ok(Response::new(())));
    println!("ready");
    let mut begin = String::new();
    stdin().read_line(&mut begin).unwrap();
    let begin: u64 = begin.trim().parse().unwrap();
    let stalls = Stalls::watch(begin);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                let (mut admitted, mut started, mut ended) = (Vec::new(), 0, 0);
                let mut slowest = Duration::ZERO;
                while since_1970() < begin + END {
                    started += 1;
                    let asked = Instant::now();
                    match service.clone().oneshot(Request::new(())).await {
                        Ok(_) => admitted.push(since_1970() - begin),
                        Err(error) => assert!(Error::from_boxed(error).is_rate_limited()),
                    }
                    ended += 1;
                    slowest = slowest.max(asked.elapsed());
                }
                (admitted, started, ended, slowest)
            })
        })
        .collect();
    let (mut started, mut ended, mut slowest) = (0, 0, Duration::ZERO);
    for task in tasks {
        let of_task = task.await.unwrap();
        for at in of_task.0 {
            println!("admitted {at}");
        }
        started += of_task.1;
        ended += of_task.2;
        slowest = slowest.max(of_task.3);
    }
    for (at, late) in stalls.all() {
        println!("stalled {at} {late}");
    }
    println!("done {started} {ended} {}", slowest.as_millis());
}
