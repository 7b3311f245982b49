use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ErrorKind;

/// The events of `chunks`, as name, data and id.
fn decoded<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String, String)> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for mut chunk in chunks {
        while let Some(event) = decoder.decode(&mut chunk).unwrap() {
            events.push((event.name().into(), event.data().into(), event.id().into()));
        }
        assert!(chunk.is_empty());
    }
    events
}

/// The data of the events of `text`.
fn data(text: &[u8]) -> Vec<String> {
    let events = decoded([text]).into_iter();
    events.map(|(_, data, _)| data).collect()
}

fn fed(text: &[u8]) -> Decoder {
    let mut decoder = Decoder::new();
    let mut bytes = text;
    while decoder.decode(&mut bytes).unwrap().is_some() {}
    decoder
}

/// Each way to cut `text` into chunks.
fn chunkings(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    (0..1_u32 << (text.len() - 1)).map(|mask| {
        let mut chunks = Vec::new();
        let mut from = 0;
        for at in (1..text.len()).filter(|at| mask & (1 << (at - 1)) != 0) {
            chunks.push(&text[from..at]);
            from = at;
        }
        chunks.push(&text[from..]);
        chunks
    })
}

/// SSE-01: all 2^k chunkings of a corpus.
#[test]
fn the_events_are_the_same_at_every_chunking() {
    let corpus: [&[u8]; 8] = [
        b"data\r\ndata:\r\n\r\n",
        b"data\rdata:b\r\r",
        b"\xef\xbb\xbfdata:x\n\n:",
        b"data:\xe2\x82\xac\xc3\n\n",
        b"event:x\rdata\r\n\r",
        b"data\n\rdata\n\n\r",
        b"id:1\ndata:\xff\n\n",
        b"id:1\r\n\r\ndata\r\r",
    ];
    for text in corpus {
        assert!(text.len() <= 16);
        let whole = decoded([text]);
        assert!(!whole.is_empty());
        for chunks in chunkings(text) {
            assert_eq!(decoded(chunks.iter().copied()), whole, "{chunks:?}");
        }
    }
}

/// What a stream may be made of.
const PIECES: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"data:",
    b"data",
    b"event: e",
    b"id:",
    b"7",
    b": c",
    b" ",
    b"\0",
    b"\xef\xbb\xbf",
    "\u{e9}".as_bytes(),
    b"\xf0\x9f",
    b"retry:9",
];

proptest! {
    /// SSE-01
    #[test]
    fn any_bytes_give_the_same_events_at_any_chunking(
        pieces in prop::collection::vec(
            prop::sample::select(PIECES),
            0..40,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let text = pieces.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
        prop_assert_eq!(decoded(chunks), decoded([&text[..]]));
    }
}

/// SSE-01
#[test]
fn an_event_that_ends_in_cr_does_not_wait_for_what_comes_next() {
    assert_eq!(data(b"data: a\r\r"), ["a"]);
    let mut decoder = Decoder::new();
    assert!(
        decoder
            .decode(&mut &b"data: a\r\n\r"[..])
            .unwrap()
            .is_some()
    );
    assert!(decoder.decode(&mut &b"\n"[..]).unwrap().is_none());
    assert!(decoder.decode(&mut &b"data: b\n\n"[..]).unwrap().is_some());
}

/// SSE-02
#[test]
fn a_byte_order_mark_is_left_out_at_the_very_begin_alone() {
    assert_eq!(data(b"\xef\xbb\xbfdata: a\n\n"), ["a"]);
    // The second one is the begin of a field that nobody knows.
    assert_eq!(
        data(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n"),
        ["b"]
    );
    assert_eq!(data(b"\n\xef\xbb\xbfdata: a\n\ndata: b\n\n"), ["b"]);
    assert_eq!(data(b"data: \xef\xbb\xbfa\n\n"), ["\u{feff}a"]);
}

/// SSE-02
#[test]
fn comments_and_unknown_fields_say_nothing_and_one_space_is_taken_off() {
    assert_eq!(data(b": ping\n\n:\n\n:data: no\ndata: yes\n\n"), ["yes"]);
    assert_eq!(data(b"data:  a\ndata:b\ndata:\tc\n\n"), [" a\nb\n\tc"]);
    assert_eq!(
        data(b"Data: 1\ndatax: 2\n data: 3\nfoo\ndata: 4\n\n"),
        ["4"]
    );
    assert_eq!(data(b"data: a:b\n\n"), ["a:b"]);
}

/// SSE-03: as the standard has it, `data` alone is a line of data, if an empty one.
#[test]
fn data_lines_are_joined_and_an_event_without_any_is_none() {
    assert_eq!(data(b"data: a\ndata: b\n\n"), ["a\nb"]);
    assert_eq!(data(b"event: x\n\nid: 1\n\n\n\n"), [""; 0]);
    assert_eq!(data(b"data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
    assert_eq!(data(b"data: a\n\ndata: b\n"), ["a"]);
    assert_eq!(data(b"data: a\n\ndata: b"), ["a"]);
}

/// SSE-04
#[test]
fn an_id_persists_and_one_with_nul_is_ignored() {
    let events = decoded([
        &b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid: 3\n\ndata: c\n\nid\ndata: d\n\n"[..],
    ]);
    let ids: Vec<_> = events.iter().map(|(_, _, id)| id.as_str()).collect();
    assert_eq!(ids, ["1", "1", "3", ""]);
    assert_eq!(fed(b"id: 7\n\nid: 8\n").last_event_id(), "7");
    assert_eq!(fed(b"id: 7\n\nid: 8\n\n").last_event_id(), "8");
    assert_eq!(fed(b"").last_event_id(), "");
}

/// SSE-04
#[test]
fn retry_is_digits_alone_and_holds_until_the_next_one() {
    let retry = |text: &[u8]| fed(text).retry();
    assert_eq!(retry(b"retry: 1500\n"), Some(Duration::from_millis(1500)));
    assert_eq!(
        retry(b"retry: 5\nretry: 07\n"),
        Some(Duration::from_millis(7))
    );
    for wrong in [
        "",
        "-1",
        "+1",
        "1.5",
        "1s",
        " 1",
        "1 ",
        "99999999999999999999",
        "\u{661}",
    ] {
        assert_eq!(
            retry(format!("retry: {wrong}\n").as_bytes()),
            None,
            "{wrong:?}"
        );
        let after = format!("retry: 9\nretry: {wrong}\n");
        assert_eq!(retry(after.as_bytes()), Some(Duration::from_millis(9)));
    }
}

/// SSE-04
#[test]
fn the_name_is_of_one_event_alone() {
    let events = decoded([
        &b"event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\n\ndata: 3\n\nevent\ndata: 4\n\n"[..],
    ]);
    let names: Vec<_> = events.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "message", "message", "message"]);
}

/// SSE-05
#[test]
fn invalid_utf8_is_replaced_and_a_character_that_was_cut_is_whole() {
    assert_eq!(
        data(b"data: a\xffb\xe2\x28\xf0\x9f\n\n"),
        ["a\u{fffd}b\u{fffd}(\u{fffd}"]
    );
    for at in 0..3 {
        let (first, second) = "€".as_bytes().split_at(at);
        let chunks = [&b"data: "[..], first, second, b"\n\n"];
        assert_eq!(decoded(chunks)[0].1, "€");
    }
    let events = decoded([&b"event: \xff\nid: \xff\ndata: x\n\n"[..]]);
    assert_eq!(
        events[0],
        ("\u{fffd}".into(), "x".into(), "\u{fffd}".into())
    );
}

/// SSE-06
#[test]
fn a_line_over_its_limit_is_an_error_as_soon_as_it_is() {
    let decoder = || Decoder::new().max_line_bytes(10);
    for line in ["data: 1234", ": 12345678", "unknown: x"] {
        let text = format!("{line}\n\n");
        assert!(decoder().decode(&mut text.as_bytes()).is_ok());
        let text = format!("{line}x");
        let mut decoder = decoder();
        let error = decoder.decode(&mut text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LineTooLong { limit: 10 }, "{line}");
        let again = decoder.decode(&mut &b"\n\ndata: x\n\n"[..]).unwrap_err();
        assert_eq!(again.kind(), error.kind());
    }
    let mut slow = decoder();
    for _ in 0..10 {
        assert!(slow.decode(&mut &b"d"[..]).unwrap().is_none());
    }
    assert!(slow.decode(&mut &b"d"[..]).is_err());
}

/// SSE-06
#[test]
fn an_event_over_its_limit_is_an_error_whatever_it_is_made_of() {
    let decode = |text: &str| {
        let mut decoder = Decoder::new().max_event_bytes(10);
        let mut bytes = text.as_bytes();
        while decoder.decode(&mut bytes)?.is_some() {}
        Ok::<_, crate::Error>(decoder.last_event_id().len())
    };
    for fits in [
        "data: 1234567890\n\n",
        "data: 12345\ndata: 7890\n\n",
        "event: 12345\ndata: 12345\n\n",
        "id: 12345\ndata: 12345\n\n",
        // Neither the events before nor comments count.
        "data: 1234567890\n\n: 12345678901234\n: 1234567890\ndata: 1234567890\n\n",
        // An id that was told before is not of this event.
        "id: 12345\n\ndata: 1234567890\n\n",
    ] {
        assert!(decode(fits).is_ok(), "{fits:?}");
    }
    for larger in [
        "data: 12345678901",
        "data: 12345\ndata: 78901",
        "event: 12345\ndata: 123456",
        "id: 12345\ndata: 123456",
        "data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata",
    ] {
        let error = decode(&format!("{larger}\n")).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::EventTooLarge { limit: 10 },
            "{larger:?}"
        );
    }
}
