use std::time::SystemTime;

use standpipe_core::{Error, ErrorKind, Origin, Phase, RequestSent};
use standpipe_retry::parse_retry_after;

use super::Response;

impl Response {
    /// The response itself, unless its status is one of failure: 400 to 599.
    ///
    /// The error knows the status, the URL without its query, the `Retry-After` and the retries. Who
    /// wants the body or the headers of such a response looks at its [`status`](Response::status)
    /// first, or takes [`error_for_status_ref`](Response::error_for_status_ref).
    ///
    /// ```
    /// # async fn run(pool: standpipe::Pool) -> Result<(), standpipe::Error> {
    /// let response = pool.get("https://example.com/").send().await?;
    /// let text = match response.error_for_status_ref() {
    ///     Ok(_) => response.text().await?,
    ///     Err(error) => format!("{error}: {}", response.text().await?),
    /// };
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Status`](ErrorKind::Status).
    pub fn error_for_status(self) -> Result<Self, Error> {
        match self.status_error() {
            None => Ok(self),
            Some(error) => Err(error),
        }
    }

    /// As [`error_for_status`](Response::error_for_status), and the response stays.
    ///
    /// # Errors
    ///
    /// [`Status`](ErrorKind::Status).
    pub fn error_for_status_ref(&self) -> Result<&Self, Error> {
        match self.status_error() {
            None => Ok(self),
            Some(error) => Err(error),
        }
    }

    fn status_error(&self) -> Option<Error> {
        let status = self.status();
        if !status.is_client_error() && !status.is_server_error() {
            return None;
        }
        let mut error = Error::new(ErrorKind::Status(status))
            .with_phase(Phase::Exchange)
            .with_request_sent(RequestSent::Yes)
            .with_url(&self.url);
        if let Ok(origin) = Origin::of_uri(&self.url) {
            error = error.with_origin(origin);
        }
        if let Some(info) = self.retry_info() {
            error = error.with_retry_info(info);
        }
        if let Some(wait) = parse_retry_after(self.headers(), SystemTime::now()) {
            error = error.with_retry_after(wait);
        }
        Some(error)
    }
}
