//! A pool over a mock, as a test of code that takes a `Pool` has it.

mod answers;
mod reports;
mod stack;

use standpipe::{Error, Pool, Response};

const URL: &str = "https://api.example.com/v1/level";

/// Stands for the code under test: it takes a pool, and no type parameter.
async fn level(pool: &Pool) -> Result<Response, Error> {
    pool.get(URL).send().await
}
