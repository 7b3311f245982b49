//! The layers that are made of the config alone.

use standpipe_core::Error;
use standpipe_rate_limit::RequestCost;
use standpipe_retry::RequestRetry;

use super::PoolConfig;
use super::check::within;
use crate::decompress::DecompressLayer;
use crate::metrics::UrlTemplate;
use crate::redirect::RedirectLayer;

impl PoolConfig {
    /// What a request asks of the layers below goes with it to other origins.
    pub(crate) fn redirect_layer(&self) -> Result<RedirectLayer, Error> {
        let layer = match self.max_redirects {
            Some(limit) => RedirectLayer::new(limit),
            None => RedirectLayer::off(),
        };
        let layer = layer
            .keep_extension::<RequestRetry>()
            .keep_extension::<RequestCost>()
            .keep_extension::<UrlTemplate>();
        layer
            .strip(&self.secret_headers)
            .map_err(|error| within("secret_headers", &error))
    }

    pub(crate) fn decompress_layer(&self) -> DecompressLayer {
        match self.decompress {
            true => DecompressLayer::new().max_bytes(self.max_decompressed_bytes),
            false => DecompressLayer::off(),
        }
    }
}
