use std::time::Duration;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use standpipe_core::data::duration;
use standpipe_transport::MinThroughput;

use super::fields::Data;

/// As data: `{ bytes_per_second = 1, grace = "20s" }`; what is missing has its default.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
struct Throughput {
    bytes_per_second: u64,
    #[serde(with = "duration")]
    grace: Duration,
}

impl Default for Throughput {
    fn default() -> Self {
        Self::of(MinThroughput::default())
    }
}

impl Throughput {
    fn of(least: MinThroughput) -> Self {
        let MinThroughput {
            bytes_per_second,
            grace,
        } = least;
        Self {
            bytes_per_second,
            grace,
        }
    }
}

impl Data for MinThroughput {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Throughput::of(*self).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Throughput {
            bytes_per_second,
            grace,
        } = Throughput::deserialize(deserializer)?;
        Ok(Self {
            bytes_per_second,
            grace,
        })
    }
}
