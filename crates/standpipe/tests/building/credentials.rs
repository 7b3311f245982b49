//! Credentials, versions, and requests that were made elsewhere.

use http::header::AUTHORIZATION;
use http::{Method, Request, Version};
use http_body_util::Full;
use standpipe::{Body, Deadline, ErrorKind, Pool};

use crate::support::{URL, assert_line, echoed_body, peer, pool_and_listener, secs};
use crate::{echo, text};

/// SMG-06
#[tokio::test]
async fn basic_credentials_are_sent_once_and_are_sensitive() {
    let echo = echo();
    for (user, password, sent) in [
        (
            "Aladdin",
            Some("open sesame"),
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("user", None, "dXNlcjo="),
        ("", Some(""), "Og=="),
        ("test", Some("123\u{a3}"), "dGVzdDoxMjPCow=="),
        ("a", Some("b:c"), "YTpiOmM="),
    ] {
        let request = || {
            let wrong = echo.pool.get(URL).header(AUTHORIZATION, "Bearer x");
            wrong.basic_auth(user, password)
        };
        let built = request().build().unwrap();
        assert!(built.headers()[AUTHORIZATION].is_sensitive());
        assert!(!format!("{:?}", request()).contains(sent));
        let text = text(request()).await;
        assert_line(&text, &format!("authorization: Basic {sent}"));
        assert_eq!(text.matches("authorization").count(), 1);
    }
}

/// SMG-01, SMG-06
#[tokio::test]
async fn credentials_that_mean_something_else_are_refused_and_not_repeated() {
    let echo = echo();
    for (user, password) in [
        ("hunter2:", "x"),
        ("hun\nter2", "hunter2"),
        ("user", "hunter2\r\nX-Evil: 1"),
        ("user", "hunter2\0"),
        ("user\u{7f}", "hunter2"),
    ] {
        let request = || echo.pool.get(URL).basic_auth(user, Some(password));
        for error in [
            request().build().unwrap_err(),
            request().send().await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{user:?}");
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
    assert_eq!(echo.network.dials(), 0);
}

#[tokio::test]
async fn each_method_has_its_call() {
    let echo = echo();
    let pool = &echo.pool;
    for (request, method) in [
        (pool.get(URL), "GET"),
        (pool.post(URL), "POST"),
        (pool.put(URL), "PUT"),
        (pool.patch(URL), "PATCH"),
        (pool.delete(URL), "DELETE"),
        (pool.options(URL), "OPTIONS"),
    ] {
        let sent = text(request).await;
        assert_line(&sent, &format!("{method} /"));
        // RFC 9110, 8.6: where a body is expected, it is told that there is none.
        let told = ["POST", "PUT", "PATCH"].contains(&method);
        assert_eq!(sent.contains("content-length: 0"), told, "{sent}");
    }
    let head = pool.head(URL).send().await.unwrap();
    assert!(head.content_length().unwrap() > 0);
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_request_of_http_1_0_is_one_and_other_versions_are_the_pools_choice() {
    let (_network, listener, pool) = pool_and_listener(|builder| builder);
    for (version, line) in [
        (Version::HTTP_10, "GET / HTTP/1.0\r\n"),
        (Version::HTTP_11, "GET / HTTP/1.1\r\n"),
    ] {
        let sending = tokio::spawn(pool.get(URL).version(version).send());
        let mut peer = peer(&listener).await;
        assert!(peer.read_head().await.unwrap().starts_with(line));
        let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        peer.write(answer).await.unwrap();
        assert_eq!(sending.await.unwrap().unwrap().status(), 200);
    }
    for version in [Version::HTTP_09, Version::HTTP_2, Version::HTTP_3] {
        let error = pool.get(URL).version(version).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{version:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_of_http_goes_on_as_a_builder_and_comes_back() {
    let echo = echo();
    let mut made = Request::put("http://a.test/x?y")
        .version(Version::HTTP_10)
        .header("x-a", "1")
        .extension(7_u32)
        .body(Full::<bytes::Bytes>::from("body"))
        .unwrap();
    let deadline = Deadline::after(secs(9)).attach(&mut made);
    let builder = echo
        .pool
        .request_from(made)
        .header("x-b", "2")
        .timeout(secs(30));
    let back: Request<Body> = builder.try_into().unwrap();
    assert_eq!(
        (back.method(), back.uri().to_string().as_str()),
        (&Method::PUT, "http://a.test/x?y")
    );
    assert_eq!(
        (back.version(), back.body().as_bytes().unwrap().as_ref()),
        (Version::HTTP_10, &b"body"[..])
    );
    assert_eq!(back.extensions().get::<u32>(), Some(&7));
    assert_eq!(Deadline::of(&back), Some(deadline));
    // The deadline rides in the body, and stays when that is replaced.
    let replaced = echo.pool.request_from(back).body("new").build().unwrap();
    assert_eq!(Deadline::of(&replaced), Some(deadline));
    let back = echo
        .pool
        .request_from(replaced)
        .body("body")
        .build()
        .unwrap();
    let sent = text(echo.pool.request_from(back)).await;
    for line in ["PUT /x?y", "x-a: 1", "x-b: 2"] {
        assert_line(&sent, line);
    }
    assert_eq!(echoed_body(&sent), "body");
}

/// RTR-02, SMG-06
#[tokio::test]
async fn a_request_of_http_that_no_pool_sends_is_refused() {
    let pool = Pool::new();
    for (uri, kind) in [
        ("/path", ErrorKind::InvalidRequest),
        ("http://user:hunter2@a.test/", ErrorKind::InvalidRequest),
        ("ftp://a.test/", ErrorKind::UnsupportedScheme),
    ] {
        let made = Request::get(uri).body(Body::empty()).unwrap();
        let builder = pool.request_from(made);
        assert!(!format!("{builder:?}").contains("hunter2"));
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), kind, "{uri}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
