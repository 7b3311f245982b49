//! How settings are written as data: for `#[serde(with = "…")]`.
//!
//! This module is for the crates of this workspace and is no part of the stable interface.

pub mod duration;
pub mod or_none;
#[cfg(test)]
mod tests;
