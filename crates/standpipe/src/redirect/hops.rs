use std::sync::Arc;

use http::header::{CONTENT_LANGUAGE, CONTENT_LOCATION, EXPECT, TRAILER};
use http::uri::Scheme;
use http::{HeaderName, Request, StatusCode, Uri};
use standpipe_core::{BoxError, Deadline, ErrorKind, Origin, Replay};
use tower_http::follow_redirect::policy::{Action, Attempt, Policy};

use super::RedirectChain;
use super::rules::{Rules, strip_referer};
use crate::stack::IDEMPOTENCY_KEYS;

/// What tells of a body, beyond what tower-http takes off with it.
const BODY_HEADERS: [HeaderName; 7] = [
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
    EXPECT,
    TRAILER,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
];

/// The redirects of one request: tower-http's policy, which is cloned for each.
#[derive(Clone, Debug)]
pub(super) struct Hops {
    rules: Arc<Rules>,
    /// The empty body of a hop is a new one, which has no deadline.
    deadline: Option<Deadline>,
    /// The URLs that answered with a redirect which was followed.
    asked: Vec<Uri>,
    /// About the hop that comes next.
    crosses_origin: bool,
    loses_body: bool,
    changes_method: bool,
}

impl Hops {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            deadline: None,
            asked: Vec::new(),
            crosses_origin: false,
            loses_body: false,
            changes_method: false,
        }
    }

    #[cold]
    fn refuse(&self, kind: ErrorKind, why: &str, attempt: &Attempt<'_>) -> BoxError {
        let last = [attempt.previous(), attempt.location()];
        let chain = RedirectChain::new(self.asked.iter().chain(last));
        let error = chain.into_error(kind, attempt.previous());
        match why {
            "" => error.into(),
            why => error.with_message(why).into(),
        }
    }
}

impl<B: Replay + 'static> Policy<B, BoxError> for Hops {
    fn redirect(&mut self, attempt: &Attempt<'_>) -> Result<Action, BoxError> {
        let (from, to) = (attempt.previous(), attempt.location());
        let http = [&Scheme::HTTP, &Scheme::HTTPS];
        if !to.scheme().is_some_and(|scheme| http.contains(&scheme)) {
            return Ok(Action::Stop);
        }
        let limit = self.rules.limit;
        if self.asked.len() >= limit as usize {
            return Err(self.refuse(ErrorKind::TooManyRedirects { limit }, "", attempt));
        }
        let Ok(target) = Origin::of_uri(to) else {
            return Err(self.refuse(ErrorKind::Redirect, UNUSABLE, attempt));
        };
        let source = Origin::of_uri(from)?;
        if source.is_https() && !target.is_https() && !self.rules.downgrade {
            return Err(self.refuse(ErrorKind::Redirect, DOWNGRADE, attempt));
        }
        self.crosses_origin = source != target;
        let see_other = attempt.status() == StatusCode::SEE_OTHER;
        self.changes_method = attempt.method() != attempt.previous_method();
        self.loses_body = see_other || self.changes_method;
        self.asked.push(from.clone());
        Ok(Action::Follow)
    }

    #[inline]
    fn on_request(&mut self, request: &mut Request<B>) {
        if self.asked.is_empty() {
            self.deadline = Deadline::of(request);
            return;
        }
        if let Some(deadline) = self.deadline {
            deadline.attach(request);
        }
        if self.loses_body {
            for name in &BODY_HEADERS {
                request.headers_mut().remove(name);
            }
        }
        if self.changes_method {
            // It is the key of what was asked for before: a server may answer with that again.
            for name in &IDEMPOTENCY_KEYS {
                request.headers_mut().remove(name);
            }
        }
        if self.crosses_origin {
            self.rules.strip(request.headers_mut());
            let extensions = std::mem::take(request.extensions_mut());
            *request.extensions_mut() = self.rules.let_through(extensions);
        } else {
            let (uri, headers) = (request.uri().clone(), request.headers_mut());
            strip_referer(headers, &uri);
        }
    }

    #[inline]
    fn clone_body(&self, body: &B) -> Option<B> {
        body.replay()
    }
}

const DOWNGRADE: &str = "it leads from https to http";
const UNUSABLE: &str = "its URL has userinfo, or a host or port that cannot be";
