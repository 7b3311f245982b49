use std::ffi::OsString;

use standpipe_core::{Error, ErrorKind, Phase};

use crate::PoolConfig;

impl PoolConfig {
    /// The default settings with those that the environment names.
    ///
    /// A variable is `prefix` and the name of a field in capitals: with `STANDPIPE_` as prefix
    /// `STANDPIPE_MAX_CONNECTIONS=100`, `STANDPIPE_REQUEST_TIMEOUT=1m30s`, `STANDPIPE_IDLE_TIMEOUT=none`;
    /// `STANDPIPE_SECRET_HEADERS=x-api-key,x-auth-*` is a list. What has parts of its own can be turned
    /// off, `STANDPIPE_CIRCUIT_BREAKER=none`, and no more.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the first variable that begins with `prefix` and is no
    /// setting, or whose value is none of its field's. Whether the settings go together is checked when
    /// a pool is built.
    pub fn from_env(prefix: &str) -> Result<Self, Error> {
        Self::default().with_env(prefix)
    }

    /// These settings with those that the environment names; see [`from_env`](Self::from_env).
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn with_env(self, prefix: &str) -> Result<Self, Error> {
        self.with_vars(prefix, std::env::vars_os())
    }

    /// These settings with those that `vars` name, as [`from_env`](Self::from_env) reads them.
    ///
    /// ```
    /// use standpipe::PoolConfig;
    ///
    /// # fn main() -> Result<(), standpipe::Error> {
    /// let vars = [("APP_MAX_CONNECTIONS", "100"), ("APP_REQUEST_TIMEOUT", "30s"), ("HOME", "/")];
    /// let config = PoolConfig::shared().with_vars("APP_", vars)?;
    /// assert_eq!(config.max_connections, Some(100));
    ///
    /// let wrong = PoolConfig::default().with_vars("APP_", [("APP_MAX_RETRIES", "few")]).unwrap_err();
    /// assert!(wrong.to_string().contains("APP_MAX_RETRIES is \"few\", but must be a number"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn with_vars<K, V>(
        mut self,
        prefix: &str,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let vars = vars.into_iter().filter_map(|(name, value)| {
            let name = name.into().to_string_lossy().into_owned();
            name.starts_with(prefix).then(|| (name, value.into()))
        });
        // In an order of their own, so that the first mistake is always the same.
        let mut vars: Vec<_> = vars.collect();
        vars.sort();
        for (name, value) in vars {
            let field = &name[prefix.len()..];
            let in_capitals = !field.contains(|letter: char| letter.is_ascii_lowercase());
            let set = match value.to_str() {
                Some(text) if in_capitals => self.parse_field(&field.to_ascii_lowercase(), text),
                Some(_) => None,
                None => Some(Err("text".to_owned())),
            };
            match set {
                Some(Ok(())) => {}
                Some(Err(expected)) => {
                    return Err(refused(format!(
                        "{name} is {value:?}, but must be {expected}"
                    )));
                }
                None => return Err(refused(format!("{name} is no setting"))),
            }
        }
        Ok(self)
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Config)
        .with_phase(Phase::Check)
        .with_message(message)
}
