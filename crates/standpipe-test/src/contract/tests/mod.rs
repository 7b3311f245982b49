mod broken;
mod kept;

use std::pin::Pin;

use standpipe_core::BoxError;

/// The future of a layer of these tests.
type Answering<Res> = Pin<Box<dyn Future<Output = Result<Res, BoxError>> + Send>>;
