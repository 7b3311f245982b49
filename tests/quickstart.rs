//! The README's promises: its first command, run as a user runs it, and its snippets, each of them
//! a part of an example that is compiled.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn quickstart_answers_every_request_and_lists_every_host() {
    let output = quickstart(&[]);
    assert!(output.status.success(), "{output:?}");

    let text = String::from_utf8(output.stdout).unwrap();
    let (servers, table) = text.split_once("\n\n").unwrap();
    let started: Vec<_> = servers.lines().skip(1).map(first_word).collect();
    let rows: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("http"))
        .collect();
    let listed: Vec<_> = rows.iter().copied().map(first_word).collect();
    assert_eq!(started, listed, "{text}");
    assert_eq!(
        rows.iter().filter(|row| row.contains(" HTTP/2 ")).count(),
        2,
        "{text}"
    );
    assert!(rows.iter().all(|row| row.contains(" x 200")), "{text}");
    assert!(
        table.contains("\n360 requests answered by 6 hosts in "),
        "{text}"
    );
    // Its last part stands in the README, but for the times.
    let readme = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let shown = after_table(&readme);
    let shown = shown.split("\n```").next().unwrap();
    let (told, told_by_readme) = (Outage::of(&text), Outage::of(&readme));
    assert_eq!(
        (told_by_readme.failed, told_by_readme.refused),
        (5, 20),
        "as where nothing stalls"
    );
    for outage in [&told, &told_by_readme] {
        assert_eq!(outage.failed + outage.refused, 25, "{text}");
        assert_eq!(outage.seen, outage.failed, "{text}");
        assert!(outage.failed >= 5 && outage.refused > 0, "{text}");
    }
    let ran = after_table(&text).replace(told.line, told_by_readme.line);
    assert_eq!(ran.trim_end(), shown, "{text}");
    assert!(
        output.stderr.is_empty(),
        "a progress bar without a terminal: {text}"
    );
}

#[test]
fn quickstart_exits_non_zero_when_a_host_cannot_be_reached() {
    let output = quickstart(&["http://127.0.0.1:1/"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");

    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table
            .lines()
            .any(|line| first_word(line) == "http://127.0.0.1:1"),
        "{table}"
    );
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("connecting failed"), "{told}");
    assert!(told.contains("\n  because: "), "{told}");
}

#[test]
fn quickstart_refuses_a_text_that_is_no_url() {
    let output = quickstart(&["example.com"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("error: the request cannot be sent: "),
        "{told}"
    );
}

#[test]
fn each_rust_snippet_of_the_readme_is_part_of_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = read(&root.join("README.md"));
    let examples = [
        "pool.rs",
        "one_layer.rs",
        "prometheus.rs",
        "swap_transport.rs",
    ]
    .map(|name| unindented(&read(&root.join("examples").join(name))));

    let blocks = readme.split("```rust\n").skip(1);
    let snippets: Vec<_> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(snippets.len(), 4);
    for snippet in snippets {
        let snippet = unindented(snippet);
        let found = examples.iter().any(|example| example.contains(&snippet));
        assert!(found, "in no example:\n{snippet}");
    }
}

/// The line that tells what the circuit did. On a machine that stalls for longer than the reset period some of the
/// 25 requests are probes, and fail.
struct Outage<'a> {
    line: &'a str,
    failed: u32,
    refused: u32,
    seen: u32,
}

impl<'a> Outage<'a> {
    fn of(text: &'a str) -> Self {
        let mut lines = text.lines();
        let line = lines.find(|line| line.contains("were refused at once"));
        let line = line.unwrap_or_else(|| panic!("no such line: {text}"));
        let words = line.split_whitespace();
        let numbers: Vec<u32> = words.filter_map(|word| word.parse().ok()).collect();
        let [failed, refused, seen] = numbers[..] else {
            panic!("three numbers: {line}");
        };
        Self {
            line,
            failed,
            refused,
            seen,
        }
    }
}

/// What comes after the table, without how long it took and the probes that failed.
fn after_table(text: &str) -> String {
    let (_, rest) = text.split_once("\na server that is not ready").unwrap();
    let lines = rest
        .lines()
        .map(|line| match line.split_once(" again in ") {
            Some((before, _)) => before,
            None => line,
        });
    let told = lines.collect::<Vec<_>>().join("\n");
    let probe_failed = "  the circuit is half_open\n  the circuit is open\n";
    told.replace(probe_failed, "")
}

fn quickstart(arguments: &[&str]) -> Output {
    let run = Command::new(example("quickstart")).args(arguments).output();
    run.unwrap()
}

/// Where cargo puts an example: `cargo test` builds them all, beside the directory of the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = profile.join("examples").join(file);
    assert!(
        path.exists(),
        "{} is missing: a run of this test alone needs `cargo build --examples` first",
        path.display()
    );
    path
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The text without the blanks at the start of its lines, which differ by where a snippet stands.
fn unindented(text: &str) -> String {
    text.lines()
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect()
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}
