//! The reports as a table of text.

use std::time::Duration;

use standpipe::http::Version;
use standpipe::{ConnectionStats, Origin, PoolStats};

use crate::load::HostReport;

const COLUMNS: usize = 8;
const HEAD: [&str; COLUMNS] = [
    "host", "protocol", "statuses", "requests", "opened", "reused", "p50", "p99",
];
/// The columns from here on hold numbers, and are aligned to the right.
const FIRST_NUMBER: usize = 3;

pub(crate) fn of(reports: &[HostReport], stats: &PoolStats) -> String {
    let rows: Vec<_> = reports.iter().map(|report| row(report, stats)).collect();
    let head = HEAD.map(String::from);
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let cells = std::iter::once(&head).chain(&rows);
        cells.map(|row| row[column].len()).max().unwrap_or_default()
    });
    let rule = widths.map(|width| "-".repeat(width));
    let mut lines = vec![line(&head, &widths), line(&rule, &widths)];
    lines.extend(rows.iter().map(|row| line(row, &widths)));
    lines.join("\n") + "\n"
}

fn row(report: &HostReport, stats: &PoolStats) -> [String; COLUMNS] {
    let connections = connections(&report.origin, stats);
    let mut latencies = report.latencies.clone();
    latencies.sort_unstable();
    [
        report.origin.to_string(),
        report.version.map_or_else(none, protocol),
        statuses(report),
        report.requests().to_string(),
        connections.created.to_string(),
        format!("{:.1} %", 100.0 * connections.reuse_share()),
        percentile(&latencies, 50).map_or_else(none, milliseconds),
        percentile(&latencies, 99).map_or_else(none, milliseconds),
    ]
}

fn connections(origin: &Origin, stats: &PoolStats) -> ConnectionStats {
    let mut all = stats.origins.iter();
    let found = all.find(|known| known.origin == *origin);
    found.map_or_else(Default::default, |known| known.connections)
}

fn protocol(version: Version) -> String {
    match version {
        Version::HTTP_2 => "HTTP/2".to_owned(),
        other => format!("{other:?}"),
    }
}

fn statuses(report: &HostReport) -> String {
    let answered = report.statuses.iter();
    let mut parts: Vec<_> = answered
        .map(|(status, n)| format!("{n} x {}", status.as_str()))
        .collect();
    if report.failed > 0 {
        parts.push(format!("{} failed", report.failed));
    }
    parts.join(", ")
}

/// The smallest of the sorted latencies that `percent` of them do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

fn milliseconds(latency: Duration) -> String {
    format!("{:.1} ms", 1000.0 * latency.as_secs_f64())
}

fn none() -> String {
    "-".to_owned()
}

fn line(cells: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let padded = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, &width))| {
            if column < FIRST_NUMBER {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
    padded.collect::<Vec<_>>().join("  ")
}
