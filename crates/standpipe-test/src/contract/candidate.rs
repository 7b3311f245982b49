use standpipe_core::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use super::ContractService;

/// A layer that the rules can be tried on: its bounds in one place.
pub(super) trait Candidate<Req, Res>:
    Layer<ContractService<Req, Res>, Service: Service<Req, Error: Into<BoxError>> + Clone>
{
}

impl<L, Req, Res> Candidate<Req, Res> for L
where
    L: Layer<ContractService<Req, Res>>,
    L::Service: Service<Req, Error: Into<BoxError>> + Clone,
{
}
