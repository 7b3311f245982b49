mod credentials;
mod hops;
mod location;
mod methods;

use std::sync::Arc;

use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use standpipe_core::sync::Mutex;
use standpipe_core::{Body, BoxError, Deadline, Error};
use standpipe_test::{Probe, ProbeHandle};
use tower::{Layer, ServiceExt};

use super::{RedirectLayer, final_uri};

/// What a server saw of a request.
struct Seen {
    method: Method,
    url: String,
    headers: HeaderMap,
    extensions: Extensions,
    deadline: Option<Deadline>,
    body: String,
}

/// What became of a request.
struct Outcome {
    answer: Result<Response<Body>, Error>,
    seen: Vec<Seen>,
    probe: ProbeHandle,
}

impl Outcome {
    fn urls(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| &*seen.url).collect()
    }

    fn status(&self) -> StatusCode {
        self.answer.as_ref().expect("an answer").status()
    }

    fn error(&self) -> &Error {
        self.answer.as_ref().expect_err("an error")
    }

    fn last(&self) -> &Seen {
        self.seen.last().expect("a request")
    }
}

/// A site of these redirects, `(path, status, Location)`; any other path answers with 200.
async fn send(
    layer: &RedirectLayer,
    redirects: &[(&str, u16, &str)],
    request: Request<Body>,
) -> Outcome {
    let redirects: Vec<_> = redirects
        .iter()
        .map(|(url, status, to)| ((*url).to_owned(), *status, (*to).to_owned()))
        .collect();
    send_to(layer, request, move |url| {
        let found = redirects.iter().find(|(from, ..)| from == url);
        let Some((_, status, to)) = found else {
            return Response::new(Body::from("arrived"));
        };
        redirect(*status, to.as_bytes())
    })
    .await
}

fn redirect(status: u16, location: &[u8]) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("location", location)
        .body(Body::from("moved"))
        .unwrap()
}

async fn send_to(
    layer: &RedirectLayer,
    request: Request<Body>,
    answer: impl Fn(&str) -> Response<Body> + Send + Sync + 'static,
) -> Outcome {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (record, answer) = (Arc::clone(&seen), Arc::new(answer));
    let probe = Probe::new(move |request: Request<Body>| {
        let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
        async move {
            let deadline = Deadline::of(&request);
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let url = parts.uri.to_string();
            let response = answer(&url);
            record.lock().push(Seen {
                method: parts.method,
                url,
                headers: parts.headers,
                extensions: parts.extensions,
                deadline,
                body: String::from_utf8(body.into()).unwrap(),
            });
            Ok::<_, BoxError>(response)
        }
    });
    let handle = probe.handle();
    let answer = layer.layer(probe).oneshot(request).await;
    let seen = std::mem::take(&mut *seen.lock());
    Outcome {
        answer: answer.map_err(Error::from_boxed),
        seen,
        probe: handle,
    }
}

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

fn ten() -> RedirectLayer {
    RedirectLayer::new(10)
}

fn url_of(outcome: &Outcome) -> String {
    let answer = outcome.answer.as_ref().expect("an answer");
    final_uri(answer).expect("a URL").to_string()
}
