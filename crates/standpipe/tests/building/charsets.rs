//! Text in other charsets than UTF-8.

use http_body_util::Full;
use standpipe::{ErrorKind, Response};

fn response(content_type: Option<&str>, body: &'static [u8]) -> Response {
    let mut response = http::Response::builder();
    if let Some(content_type) = content_type {
        response = response.header("content-type", content_type);
    }
    let body = Full::new(bytes::Bytes::from_static(body));
    response.body(body).unwrap().into()
}

#[tokio::test]
async fn text_is_read_by_the_charset_that_is_named() {
    for (content_type, body, text) in [
        (None, &b"\xe2\x82\xac"[..], "\u{20ac}"),
        (Some("text/plain"), b"\xe2\x82\xac", "\u{20ac}"),
        (
            Some("text/plain; charset=ISO-8859-1"),
            b"\xe4\x80",
            "\u{e4}\u{20ac}",
        ),
        (
            Some("text/html;charset=\"windows-1251\""),
            b"\xcf",
            "\u{41f}",
        ),
        (
            Some("text/plain; charset=Shift_JIS"),
            b"\x83\x65",
            "\u{30c6}",
        ),
        (Some("text/plain; charset=utf-16le"), b"a\0", "a"),
        // A mark says more than a name, and is no part of the text.
        (
            Some("text/plain; charset=latin1"),
            b"\xef\xbb\xbf\xe2\x82\xac",
            "\u{20ac}",
        ),
        (Some("text/plain; charset=utf-8"), b"\xff\xfea\0", "a"),
        // What nobody knows is taken for UTF-8.
        (
            Some("text/plain; charset=klingon"),
            b"\xe2\x82\xac",
            "\u{20ac}",
        ),
    ] {
        let read = response(content_type, body).text().await;
        assert_eq!(read.unwrap(), text, "{content_type:?}");
    }
}

#[tokio::test]
async fn the_callers_charset_is_for_responses_that_name_none() {
    let read = response(None, b"\xe4").text_with_charset("latin1").await;
    assert_eq!(read.unwrap(), "\u{e4}");
    let named = Some("text/plain; charset=utf-8");
    let read = response(named, b"\xc3\xa4")
        .text_with_charset("latin1")
        .await;
    assert_eq!(read.unwrap(), "\u{e4}");
    let unknown = response(None, b"x").text_with_charset("klingon").await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn text_that_is_not_valid_in_its_charset_is_an_error_that_does_not_repeat_it() {
    for (content_type, body, name) in [
        ("text/plain", &b"hunter2 \xff"[..], "UTF-8"),
        (
            "text/plain; charset=shift_jis",
            b"hunter2 \x83",
            "Shift_JIS",
        ),
        ("text/plain; charset=utf-16le", b"h\0x", "UTF-16LE"),
    ] {
        let error = response(Some(content_type), body).text().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{content_type}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
