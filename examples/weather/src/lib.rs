//! A client of a weather service, as an application has it: it asks an API, and where that fails it goes
//! on with what it knows, for a while.
//!
//! Its tests show the four ways of the guide in standpipe-test, one to a file: mock the pool, swap one
//! layer, break the server, control the time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use standpipe::http::StatusCode;
use standpipe::{Error, HostClient, IntoUri, Pool, PoolBuilder};
use tokio::time::Instant;

/// How long an answer is good for where the API gives no newer one.
pub const STALE_AFTER: Duration = Duration::from_secs(600);

/// The weather at a place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Weather {
    /// Degrees Celsius.
    pub celsius: f64,
    /// In words.
    pub sky: String,
}

/// An answer of [`WeatherClient::at`].
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The weather.
    pub weather: Weather,
    /// How long ago the API said so; zero for what it has just said.
    pub age: Duration,
}

/// Why there is no report.
#[derive(Debug)]
pub enum WeatherError {
    /// The API knows no such place.
    NoSuchPlace,
    /// It cannot be asked, and what is known is too old.
    Unavailable(Error),
}

/// The settings of the application's pool; its tests begin with the same.
pub fn pool() -> PoolBuilder {
    Pool::builder()
        .request_timeout(Some(Duration::from_secs(10)))
        .max_retries(1)
        .initial_retry_delay(Duration::from_millis(100))
}

/// Asks the API, and keeps its last answer for each place.
#[derive(Debug)]
pub struct WeatherClient {
    api: HostClient,
    known: Mutex<HashMap<String, (Weather, Instant)>>,
}

impl WeatherClient {
    /// A client of the API at `base`, such as `"https://weather.example.com/v1/"`.
    ///
    /// # Errors
    ///
    /// When `base` is no URL, or the key no value of a header.
    pub fn new(pool: Pool, base: impl IntoUri, key: &str) -> Result<Self, Error> {
        Ok(Self {
            api: pool.host_client(base)?.header("x-api-key", key)?,
            known: Mutex::default(),
        })
    }

    /// The weather at `place`: the API's word, or else the last one that is not too old.
    ///
    /// # Errors
    ///
    /// When the API knows no such place; when it fails and nothing is known.
    pub async fn at(&self, place: &str) -> Result<Report, WeatherError> {
        match self.ask(place).await {
            Ok(weather) => {
                let new = (weather.clone(), Instant::now());
                self.known.lock().unwrap().insert(place.to_owned(), new);
                Ok(Report {
                    weather,
                    age: Duration::ZERO,
                })
            }
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                Err(WeatherError::NoSuchPlace)
            }
            Err(error) => self.known(place).ok_or(WeatherError::Unavailable(error)),
        }
    }

    async fn ask(&self, place: &str) -> Result<Weather, Error> {
        let response = self.api.get(format!("places/{place}")).send().await?;
        response.error_for_status()?.json().await
    }

    fn known(&self, place: &str) -> Option<Report> {
        let known = self.known.lock().unwrap();
        let (weather, at) = known.get(place)?;
        let report = Report {
            weather: weather.clone(),
            age: at.elapsed(),
        };
        (report.age < STALE_AFTER).then_some(report)
    }
}

impl fmt::Display for WeatherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPlace => f.write_str("no such place"),
            Self::Unavailable(error) => write!(f, "the weather service fails: {error}"),
        }
    }
}

impl std::error::Error for WeatherError {}
