//! A duration as text: `"30s"`, `"1m30s"`, `"250ms"`. A number without a unit is refused, since it
//! would be a guess.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

/// Writes `duration` as text.
///
/// # Errors
///
/// The serializer's.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = humantime::format_duration(*duration).to_string();
    text.retain(|letter| letter != ' ');
    serializer.serialize_str(&text)
}

/// Reads a duration from text.
///
/// # Errors
///
/// The deserializer's, and what is wrong with the text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration with its unit, such as \"30s\" or \"1m30s\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text)
            .map_err(|error| E::custom(format_args!("\"{text}\" is no duration: {error}")))
    }
}

/// The same for what may be missing; to be used with `default` and `skip_serializing_if`.
pub mod option {
    use std::time::Duration;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    struct Written(Duration);

    impl Serialize for Written {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            super::serialize(&self.0, serializer)
        }
    }

    impl<'de> Deserialize<'de> for Written {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            super::deserialize(deserializer).map(Self)
        }
    }

    /// Writes the duration as text, or nothing.
    ///
    /// # Errors
    ///
    /// The serializer's.
    #[expect(clippy::ref_option, reason = "it is what serde passes")]
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(Written).serialize(serializer)
    }

    /// Reads a duration from text, or nothing.
    ///
    /// # Errors
    ///
    /// The deserializer's, and what is wrong with the text.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let written = Option::<Written>::deserialize(deserializer)?;
        Ok(written.map(|written| written.0))
    }
}
