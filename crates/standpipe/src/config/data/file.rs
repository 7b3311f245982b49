use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::fields::{Fields, Over};
use crate::{HostConfig, PoolBuilder, PoolConfig};

/// All that a file of settings holds: those of the pool, and those of hosts by their names.
///
/// ```
/// use standpipe::{ConfigFile, Pool};
///
/// let text = r#"
///     [pool]
///     request_timeout = "1m30s"
///     max_connection_lifetime = "10m"
///     idle_timeout = "none"
///
///     [hosts."api.example.com"]
///     attempt_timeout = "20s"
///     default_headers = { x-api-version = "2" }
///     rate_limit = { requests = [{ amount = 60, per = "1m" }] }
/// "#;
/// let file: ConfigFile = toml::from_str(text).unwrap();
/// let pool = Pool::builder().config_file(file).build().unwrap();
/// assert_eq!(pool.config().idle_timeout, None);
///
/// let wrong = toml::from_str::<ConfigFile>("[pool]\nrequest_timeuot = '1s'").unwrap_err();
/// assert!(wrong.to_string().contains("unknown field `request_timeuot`"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ConfigFile {
    /// The settings of the pool.
    pub pool: PoolConfig,
    /// Settings of hosts by the names that [`PoolBuilder::host`] takes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, HostConfig>,
}

impl ConfigFile {
    /// This with what the data names: a field of the pool's that is missing stays as it is here, and a
    /// host that is named has nothing but what is said there.
    ///
    /// ```
    /// use standpipe::{ConfigFile, PoolConfig};
    ///
    /// let preset = ConfigFile { pool: PoolConfig::shared(), ..ConfigFile::default() };
    /// let text = toml::Deserializer::parse("[pool]\nmax_retries = 1").unwrap();
    /// let file = preset.with_data(text).unwrap();
    /// assert_eq!(file.pool, PoolConfig { max_retries: 1, ..PoolConfig::shared() });
    /// ```
    ///
    /// # Errors
    ///
    /// The deserializer's, naming the field.
    pub fn with_data<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        Over(self).deserialize(deserializer)
    }
}

impl PoolConfig {
    /// These settings with those that the data names.
    ///
    /// # Errors
    ///
    /// The deserializer's, naming the field.
    pub fn with_data<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        Over(self).deserialize(deserializer)
    }
}

impl<O, H, T> PoolBuilder<O, H, T> {
    /// Sets all of the config, and adds the hosts of the file as [`host`](PoolBuilder::host) does.
    #[must_use]
    pub fn config_file(self, file: ConfigFile) -> Self {
        let hosts = file.hosts.into_iter();
        hosts.fold(self.config(file.pool), |builder, (name, host)| {
            builder.host(name, host)
        })
    }
}

impl<'de> serde::Deserialize<'de> for ConfigFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::default().with_data(deserializer)
    }
}

impl Fields for ConfigFile {
    const NAMES: &'static [&'static str] = &["pool", "hosts"];

    fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "pool" => self.pool = map.next_value_seed(Over(std::mem::take(&mut self.pool)))?,
            _ => map.next_value_seed(Hosts(&mut self.hosts))?,
        }
        Ok(())
    }
}

struct Hosts<'a>(&'a mut BTreeMap<String, HostConfig>);

impl<'de> DeserializeSeed<'de> for Hosts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Hosts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hosts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let host = map.next_value()?;
            self.0.insert(name, host);
        }
        Ok(())
    }
}
