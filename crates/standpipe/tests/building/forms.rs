//! Queries and forms.

use standpipe::ErrorKind;

use crate::support::{assert_line, echoed_body};
use crate::{echo, text};

#[derive(serde::Serialize)]
struct Page<'a> {
    q: &'a str,
    page: Option<u32>,
    all: bool,
}

#[tokio::test]
async fn a_query_is_encoded_and_added_to_what_is_there() {
    let echo = echo();
    let page = |page| Page {
        q: "a&b=c d/\u{20ac}?#%",
        page,
        all: true,
    };
    for (url, sent) in [
        ("http://a.test", "GET /?"),
        ("http://a.test/", "GET /?"),
        ("http://a.test/x?", "GET /x?"),
        ("http://a.test/x?y=%20&z", "GET /x?y=%20&z&"),
        ("http://a.test/x#part", "GET /x?"),
    ] {
        let query = "q=a%26b%3Dc+d%2F%E2%82%AC%3F%23%25&page=2&all=true";
        let request = echo.pool.get(url).query(&page(Some(2)));
        assert_line(&text(request).await, &format!("{sent}{query}"));
    }
    let none = echo.pool.get("http://a.test/").query(&page(None));
    assert!(!text(none).await.contains("page"));
    let pairs = echo
        .pool
        .get("http://a.test/")
        .query(&[("a", "1"), ("a", "2")]);
    assert_line(&text(pairs.query(&[("b", 3)])).await, "GET /?a=1&a=2&b=3");
    let empty: [(&str, &str); 0] = [];
    assert_line(
        &text(echo.pool.get("http://a.test/x").query(&empty)).await,
        "GET /x",
    );
}

#[tokio::test]
async fn a_form_is_the_body_and_sets_the_content_type_unless_it_is_set() {
    let echo = echo();
    let post = || echo.pool.post("http://a.test/");
    let sent = text(post().form(&[("name", "a & b"), ("x", "\u{20ac}")])).await;
    assert_line(&sent, "content-type: application/x-www-form-urlencoded");
    assert_line(&sent, "content-length: 24");
    assert_eq!(echoed_body(&sent), "name=a+%26+b&x=%E2%82%AC");
    let own = post().header("content-type", "x/y").form(&[("a", "b")]);
    let sent = text(own).await;
    assert_line(&sent, "content-type: x/y");
    assert_eq!(sent.matches("content-type").count(), 1);
}

#[tokio::test]
async fn what_cannot_be_a_query_or_a_form_is_refused_before_a_dial() {
    let echo = echo();
    let nested = [("hunter2", vec![1, 2])];
    let request = || echo.pool.post("http://a.test/?a=b");
    for error in [
        request().query(&nested).send().await.unwrap_err(),
        request().form(&nested).send().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let long = "x".repeat(70_000);
    let error = echo
        .pool
        .get("http://a.test/")
        .query(&[("a", long)])
        .build();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("longer"), "{error}");
    assert_eq!(echo.network.dials(), 0);
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn a_multipart_form_names_its_boundary_in_place_of_another_content_type() {
    use standpipe::multipart::{Form, Part};

    let echo = echo();
    let form = Form::new()
        .text("a", "1")
        .part("f", Part::bytes("{}").content_type("application/json"));
    let boundary = form.boundary().to_owned();
    let request = echo
        .pool
        .post("http://a.test/")
        .header("content-type", "x/y");
    let sent = text(request.multipart(form)).await;
    assert_line(
        &sent,
        &format!("content-type: multipart/form-data; boundary={boundary}"),
    );
    assert_eq!(sent.matches("content-type: ").count(), 1);
    let body = echoed_body(&sent);
    assert_line(&sent, &format!("content-length: {}", body.len()));
    assert_eq!(body.matches(&format!("--{boundary}")).count(), 3);

    let wrong = Form::new().part("f", Part::bytes("x").content_type("a\nb"));
    let error = echo
        .pool
        .post("http://a.test/")
        .multipart(wrong)
        .send()
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidRequest);
}
