//! Four processes under one limit, and a Redis that is away for two seconds of ten.

use std::env;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use redis::Client;
use standpipe_core::Error;
use standpipe_rate_limit::{Quota, RateLimitLayer};
use standpipe_redis::RedisStore;
use standpipe_test::Probe;
use standpipe_test::external::Redis;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

use crate::n;

const URL: &str = "STANDPIPE_FLEET_REDIS";
const BEGIN: &str = "STANDPIPE_FLEET_BEGIN";
const RATE: u32 = 200;
const BURST: u32 = 8;
const PROCESSES: u32 = 4;
const TASKS: usize = 25;
const MAX_WAIT: Duration = Duration::from_secs(2);
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
    let begin = since_1970() + 1_000;
    let processes: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let mut process = Command::new(env::current_exe().unwrap());
            process
                .args(["--exact", "fleet::one_process_of_the_fleet"])
                .args(["--ignored", "--nocapture"])
                .env(URL, redis.url())
                .env(BEGIN, begin.to_string())
                .stdout(Stdio::piped())
                .kill_on_drop(true);
            process.spawn().unwrap()
        })
        .collect();
    let at = |millis: u64| Duration::from_millis((begin + millis).saturating_sub(since_1970()));
    sleep(at(KILLED)).await;
    redis.stop().unwrap();
    let killed = since_1970() - begin;
    sleep(at(BACK)).await;
    redis.restart().await.unwrap();
    let back = since_1970() - begin;

    let mut admitted = Vec::new();
    for process in processes {
        let output = process.wait_with_output().await.unwrap();
        assert!(output.status.success());
        admitted.extend(read(&String::from_utf8(output.stdout).unwrap()));
    }
    let within = |from: u64, to: u64| {
        let count = admitted.iter().filter(|&&at| at >= from && at < to).count();
        count as f64
    };
    let rate = f64::from(RATE) / 1_000.0;
    // While it is up: within five per cent of the quota.
    // The bucket's burst is on top of it once.
    assert_quota("before", within(0, killed), rate * killed as f64);
    // A probe finds it again after a quarter of a second at the most; with some room.
    let settled = back + 500;
    let after = rate * (END - settled) as f64;
    assert_quota("after", within(settled, END), after);
    // While it is away: no more than the shares, which are the quota in all, and what was given
    // ahead by Redis, and no less than nearly that.
    let away = within(killed, back);
    let shares = rate * (back - killed) as f64;
    let ahead = f64::from(BURST + PROCESSES * 8);
    println!("away: {away} of {shares}");
    assert!(
        away <= shares + f64::from(BURST) + ahead,
        "{away} of {shares}"
    );
    assert!(away >= shares * 0.9, "{away} of {shares}");
}

fn assert_quota(when: &str, admitted: f64, quota: f64) {
    println!("{when}: {admitted} of {quota}");
    let most = quota.mul_add(1.05, f64::from(BURST));
    assert!(admitted <= most, "{when}: {admitted} of {quota}");
    assert!(admitted >= quota * 0.95, "{when}: {admitted} of {quota}");
}

/// The admissions that a process printed, in milliseconds from the beginning.
fn read(output: &str) -> Vec<u64> {
    let mut admitted = Vec::new();
    let mut done = false;
    for line in output.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["admitted", at] => admitted.push(at.parse().unwrap()),
            ["done", started, ended, slowest] => {
                done = true;
                assert_eq!(started, ended, "none is lost");
                let slowest: u128 = slowest.parse().unwrap();
                assert!(
                    slowest < MAX_WAIT.as_millis() + 500,
                    "{slowest} ms: none hangs"
                );
            }
            _ => {}
        }
    }
    assert!(done, "a process did not come to its end: {output}");
    admitted
}

/// Not a test by itself: what the processes of the test above run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn one_process_of_the_fleet() {
    let (Ok(url), Ok(begin)) = (env::var(URL), env::var(BEGIN)) else {
        return;
    };
    let begin: u64 = begin.parse().unwrap();
    let store = RedisStore::new(Client::open(url).unwrap(), "fleet", n(PROCESSES))
        .probe_every(Duration::from_millis(250));
    let layer = RateLimitLayer::builder()
        .requests(Quota::per_second(n(RATE)).burst(n(BURST)))
        .max_wait(MAX_WAIT)
        .store(store)
        .build();
    let service = layer.layer(Probe::ok(Response::new(())));
    sleep(Duration::from_millis(begin.saturating_sub(since_1970()))).await;
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
    println!("done {started} {ended} {}", slowest.as_millis());
}
