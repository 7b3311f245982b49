//! The decision: which clocks run for a call, and until when.

use std::time::Duration;

use http::Request;
use standpipe_core::Deadline;
use tokio::time::Instant;

use crate::RequestTimeout;

/// What a layer is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// The whole request, unless its extensions say otherwise.
    Request(RequestTimeout),
    /// One attempt, up to the response head or with the body.
    Attempt {
        timeout: Option<Duration>,
        body: bool,
    },
}

/// Which of its limits a layer leaves to the inner service, which knows deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandedDown {
    Nothing,
    /// The one up to the response head.
    Head,
    All,
}

/// Whose time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Deadline,
    Head,
    Attempt,
    BodyIdle,
}

/// An instant, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) at: Instant,
    pub(crate) clock: Clock,
}

/// What holds for one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) head: Option<Limit>,
    /// What went down as the deadline of the head, where it is not the request's own: by that name
    /// the inner service's error goes up.
    pub(crate) rename: Option<Clock>,
    pub(crate) body: BodyPlan,
}

/// What holds for the body of its response.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BodyPlan {
    pub(crate) end: Option<Limit>,
    pub(crate) idle: Option<Duration>,
    /// The attempt's time went down as the deadline: by that name the inner service reports it.
    pub(crate) rename: bool,
}

impl Bound {
    /// The limits for `request`, which is given its deadline.
    pub(crate) fn plan<B: 'static>(
        self,
        handed_down: HandedDown,
        request: &mut Request<B>,
    ) -> Plan {
        match self {
            Self::Request(default) => {
                let chosen = request.extensions().get().copied().unwrap_or(default);
                plan_request(chosen, handed_down, request)
            }
            Self::Attempt { timeout: None, .. } => Plan::default(),
            Self::Attempt {
                timeout: Some(timeout),
                body,
            } => plan_attempt(timeout, body, handed_down, request),
        }
    }
}

fn plan_request<B: 'static>(
    chosen: RequestTimeout,
    handed_down: HandedDown,
    request: &mut Request<B>,
) -> Plan {
    let deadline = match chosen.total {
        Some(total) => Some(Deadline::after(total).attach(request)),
        None => Deadline::of(request),
    };
    let end = deadline.map(Limit::deadline);
    let head = head_limit(chosen.head, end);
    let rename = match head {
        // An inner service that held to it to the end would cut the body by it.
        Some(head) if head.clock == Clock::Head && handed_down == HandedDown::Head => {
            Deadline::at(head.at).attach(request);
            Some(Clock::Head)
        }
        _ => None,
    };
    let here = match handed_down {
        HandedDown::Nothing => true,
        HandedDown::Head => false,
        HandedDown::All => head.is_some_and(|head| head.clock == Clock::Head),
    };
    Plan {
        head: head.filter(|_| here),
        rename,
        body: BodyPlan {
            end: end.filter(|_| handed_down != HandedDown::All),
            idle: chosen.body_idle,
            rename: false,
        },
    }
}

/// The earlier of the limit on the head alone and the one on everything.
fn head_limit(head: Option<Duration>, end: Option<Limit>) -> Option<Limit> {
    let Some(head) = head else {
        return end;
    };
    let head = Deadline::after(head).instant();
    match end {
        Some(end) if end.at <= head => Some(end),
        _ => Some(Limit {
            at: head,
            clock: Clock::Head,
        }),
    }
}

fn plan_attempt<B: 'static>(
    timeout: Duration,
    body: bool,
    handed_down: HandedDown,
    request: &mut Request<B>,
) -> Plan {
    let attempt = Deadline::after(timeout);
    let limit = match Deadline::of(request) {
        Some(total) if total <= attempt => Limit::deadline(total),
        _ => Limit {
            at: attempt.instant(),
            clock: Clock::Attempt,
        },
    };
    let here = match handed_down {
        HandedDown::Nothing => true,
        HandedDown::Head => body,
        HandedDown::All => false,
    };
    if here {
        return Plan {
            head: Some(limit),
            rename: None,
            body: BodyPlan {
                end: body.then_some(limit),
                ..BodyPlan::default()
            },
        };
    }
    let rename = limit.clock == Clock::Attempt;
    if rename {
        attempt.attach(request);
    }
    Plan {
        head: None,
        rename: rename.then_some(Clock::Attempt),
        body: BodyPlan {
            rename,
            ..BodyPlan::default()
        },
    }
}

impl Limit {
    fn deadline(deadline: Deadline) -> Self {
        Self {
            at: deadline.instant(),
            clock: Clock::Deadline,
        }
    }
}

impl BodyPlan {
    /// The limit for a wait that begins now. The clock is read only for an idle timeout.
    pub(crate) fn limit_of_wait(&self) -> Option<Limit> {
        let Some(idle) = self.idle else {
            return self.end;
        };
        let silence = Deadline::after(idle).instant();
        match self.end {
            Some(end) if end.at <= silence => Some(end),
            _ => Some(Limit {
                at: silence,
                clock: Clock::BodyIdle,
            }),
        }
    }
}
