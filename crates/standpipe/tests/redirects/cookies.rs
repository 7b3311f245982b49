//! Cookies, as a pool keeps and sends them.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use standpipe::CookieJar;
use standpipe_test::Server;
use standpipe_test::memory::Network;

use crate::support::{URL, assert_line, echo_on, on};

#[tokio::test]
async fn a_cookie_set_by_a_redirect_goes_to_its_own_host_from_the_next_hop_on() {
    let network = Network::new();
    let handler = |request: Request<Incoming>| async move {
        let sent = request.headers().get("cookie").is_some();
        let response = match (request.uri().path(), sent) {
            ("/", _) => Response::builder()
                .status(302)
                .header("location", "/home")
                .header("set-cookie", "session=1; Path=/"),
            (_, true) => Response::builder(),
            (_, false) => Response::builder().status(403),
        };
        response.body(Full::<Bytes>::default()).unwrap()
    };
    let _server = Server::builder()
        .handler(handler)
        .start_on(network.listen("a.test:80"));
    let _other = echo_on(&network, "b.test:80");
    let jar = CookieJar::new();
    let pool = on(&network).cookies(jar.clone()).build().unwrap();
    assert_eq!(pool.get(URL).send().await.unwrap().status(), 200);
    assert_eq!(jar.len(), 1);
    let echo = pool.get("http://b.test/").send().await.unwrap();
    let echo = echo.text().await.unwrap();
    assert_line(&echo, "GET /");
    assert!(!echo.contains("cookie"), "{echo}");
    // Without a jar none are kept.
    let pool = on(&network).build().unwrap();
    assert_eq!(pool.get(URL).send().await.unwrap().status(), 403);
}
