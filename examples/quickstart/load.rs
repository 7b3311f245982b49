//! Sends the requests, several at a time to each host and to all hosts at once.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::ProgressBar;
use standpipe::http::{StatusCode, Version};
use standpipe::{Error, Origin, Pool};
use tokio::task::JoinSet;
use tokio::time::Instant;

const REQUESTS_PER_HOST: usize = 60;
const AT_ONCE_PER_HOST: usize = 8;

/// A host, and what to ask it for, in turn.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    origin: Origin,
    urls: Vec<String>,
}

/// How the requests to one host went.
#[derive(Debug)]
pub(crate) struct HostReport {
    pub(crate) origin: Origin,
    pub(crate) statuses: BTreeMap<StatusCode, usize>,
    pub(crate) version: Option<Version>,
    /// Of each request that was answered, up to the end of its body.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) failed: usize,
    pub(crate) first_error: Option<Error>,
}

/// The hosts that the URLs lead to, in the order in which they first appear.
pub(crate) fn by_origin(urls: &[String]) -> Result<Vec<Target>, Error> {
    let mut targets: Vec<Target> = Vec::new();
    for url in urls {
        let origin = Origin::parse(url)?;
        match targets.iter_mut().find(|target| target.origin == origin) {
            Some(known) => known.urls.push(url.clone()),
            None => targets.push(Target {
                origin,
                urls: vec![url.clone()],
            }),
        }
    }
    Ok(targets)
}

/// How many requests [`send_all`] sends.
pub(crate) fn total(targets: &[Target]) -> u64 {
    (targets.len() * REQUESTS_PER_HOST) as u64
}

/// Gives one report for each target, in their order.
pub(crate) async fn send_all(
    pool: &Pool,
    targets: &[Target],
    progress: &ProgressBar,
) -> Vec<HostReport> {
    let mut reports: Vec<_> = targets.iter().map(HostReport::new).collect();
    let mut senders = JoinSet::new();
    for (index, target) in targets.iter().enumerate() {
        for first in 0..AT_ONCE_PER_HOST {
            let (pool, target, progress) = (pool.clone(), target.clone(), progress.clone());
            senders.spawn(async move {
                let mut report = HostReport::new(&target);
                send_every(
                    AT_ONCE_PER_HOST,
                    first,
                    &pool,
                    &target,
                    &progress,
                    &mut report,
                )
                .await;
                (index, report)
            });
        }
    }
    while let Some(ended) = senders.join_next().await {
        let (index, report) = ended.expect("a sender does not panic");
        reports[index].add(report);
    }
    reports
}

/// Sends every `step`th request from the `first` on, one after the other. It stops at a failure, so
/// that a host that is down is not tried sixty times.
async fn send_every(
    step: usize,
    first: usize,
    pool: &Pool,
    target: &Target,
    progress: &ProgressBar,
    report: &mut HostReport,
) {
    for number in (first..REQUESTS_PER_HOST).step_by(step) {
        let url = &target.urls[number % target.urls.len()];
        let begin = Instant::now();
        match send(pool, url).await {
            Ok((status, version)) => report.answered(status, version, begin.elapsed()),
            Err(error) => return report.failed(error),
        }
        progress.inc(1);
    }
}

/// One request, its body read to the end.
async fn send(pool: &Pool, url: &str) -> Result<(StatusCode, Version), Error> {
    let response = pool.get(url).send().await?;
    let (status, version) = (response.status(), response.version());
    response.bytes().await?;
    Ok((status, version))
}

impl HostReport {
    fn new(target: &Target) -> Self {
        Self {
            origin: target.origin.clone(),
            statuses: BTreeMap::new(),
            version: None,
            latencies: Vec::new(),
            failed: 0,
            first_error: None,
        }
    }

    fn answered(&mut self, status: StatusCode, version: Version, latency: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        self.version = Some(version);
        self.latencies.push(latency);
    }

    fn failed(&mut self, error: Error) {
        self.failed += 1;
        self.first_error.get_or_insert(error);
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.version = self.version.or(other.version);
        self.latencies.extend(other.latencies);
        self.failed += other.failed;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    pub(crate) fn requests(&self) -> usize {
        self.latencies.len() + self.failed
    }
}
