use http_body::Body as _;
use http_body_util::BodyExt;
use standpipe_core::Replay;

use super::*;
use crate::ErrorKind;

async fn text(body: Body) -> String {
    let bytes = body.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

/// What `form` is as text, with `B` for its boundary.
async fn encoded(form: Form) -> String {
    let boundary = form.boundary().to_owned();
    text(form.into_body().unwrap())
        .await
        .replace(&boundary, "B")
}

#[tokio::test]
async fn a_form_is_its_parts_between_their_boundary() {
    let form = Form::new().text("a", "1").part(
        "f",
        Part::bytes("two\r\nlines")
            .file_name("x.txt")
            .content_type("text/plain"),
    );
    let expected = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
        --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\
        Content-Type: text/plain\r\n\r\ntwo\r\nlines\r\n--B--\r\n";
    assert_eq!(encoded(form).await, expected);
    assert_eq!(encoded(Form::new()).await, "--B--\r\n");
}

#[test]
fn the_content_type_names_a_boundary_that_no_other_form_has() {
    let (one, other) = (Form::new(), Form::new());
    assert_ne!(one.boundary(), other.boundary());
    let expected = format!("multipart/form-data; boundary={}", one.boundary());
    assert_eq!(one.content_type(), expected);
    assert_eq!(one.boundary().len(), 32);
}

/// SMG-01
#[tokio::test]
async fn a_name_cannot_break_out_of_its_line() {
    let evil = "a\"; x=\"\r\nX-Evil: 1\r\n\r\n";
    let sent = encoded(Form::new().part(evil, Part::text("v").file_name(evil))).await;
    let safe = "a%22; x=%22%0D%0AX-Evil: 1%0D%0A%0D%0A";
    let head = format!("Content-Disposition: form-data; name=\"{safe}\"; filename=\"{safe}\"");
    assert_eq!(sent, format!("--B\r\n{head}\r\n\r\nv\r\n--B--\r\n"));
    for wrong in ["text/plain\r\nX-Evil: 1", "a\0", "\n"] {
        let form = Form::new().part("a", Part::text("v").content_type(wrong));
        let error = form.into_body().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_form_of_parts_that_can_be_made_again_is_replayed_and_its_length_is_known() {
    let made = || http_body_util::Full::<bytes::Bytes>::from("made");
    let form = Form::new()
        .text("a", "1")
        .part("b", Part::from_fn(made))
        .part("c", Part::stream("bytes after all"));
    let body = form.into_body().unwrap();
    let copy = body.replay().unwrap();
    let length = body.size_hint().exact().unwrap();
    let first = text(body).await;
    assert_eq!(first.len() as u64, length);
    assert!(first.contains("made") && first.contains("bytes after all"));
    assert_eq!(text(copy).await, first);
}

#[tokio::test]
async fn a_form_with_a_stream_is_sent_once_and_its_length_is_unknown() {
    let chunks = ["o", "nce"].map(Ok::<_, std::io::Error>);
    let stream = Body::from_stream(futures_util::stream::iter(chunks));
    let body = Form::new().text("a", "1").part("b", Part::stream(stream));
    let body = body.into_body().unwrap();
    assert!(body.replay().is_none());
    assert_eq!(body.size_hint().exact(), None);
    assert!(text(body).await.contains("\r\n\r\nonce\r\n--"));
}

#[tokio::test]
async fn the_error_of_a_part_is_the_forms_and_ends_it() {
    let chunks = [Ok("begun"), Err(std::io::Error::other("no disk"))];
    let stream = Body::from_stream(futures_util::stream::iter(chunks));
    let form = Form::new().part("a", Part::stream(stream)).text("b", "2");
    let mut body = form.into_body().unwrap();
    let error = loop {
        if let Err(error) = body.frame().await.expect("an error first") {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert!(body.frame().await.is_none() && body.is_end_stream());
}

/// SMG-06
#[test]
fn neither_a_form_nor_a_part_prints_what_it_holds() {
    let form = Form::new().part("key", Part::text("hunter2").file_name("f"));
    assert!(!format!("{form:?}").contains("hunter2"));
}
