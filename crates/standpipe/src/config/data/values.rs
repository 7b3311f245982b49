use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use standpipe_circuit_breaker::CircuitBreakerConfig;
use standpipe_core::data::{duration, or_none};
use standpipe_rate_limit::RateLimitConfig;
use standpipe_retry::{BudgetPolicy, RetryPolicy};
use standpipe_transport::Protocol;

use super::fields::Data;
use crate::Setting;

/// Those that serde knows how to write and read.
macro_rules! plain {
    ($($ty:ty $(, $parse:expr)?;)*) => {$(
        impl Data for $ty {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }

            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }

            $(fn parse(text: &str) -> Result<Self, String> {
                $parse(text)
            })?
        }
    )*};
}

plain! {
    bool, |text: &str| text.parse().map_err(|_| "true or false".to_owned());
    u32, number;
    u64, number;
    usize, number;
    f64, number;
    String, |text: &str| Ok(text.to_owned());
    Vec<String>, |text: &str| Ok(list(text).map(str::to_owned).collect());
    Vec<u16>, |text: &str| {
        let statuses = list(text).map(str::parse).collect::<Result<_, _>>();
        statuses.map_err(|_| "a list of numbers, such as \"429,503\"".to_owned())
    };
    IpAddr, |text: &str| text.parse().map_err(|_| "an IP address".to_owned());
    BudgetPolicy;
    CircuitBreakerConfig;
    RateLimitConfig;
    RetryPolicy;
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "a number in range".to_owned())
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

impl Data for Duration {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        duration::serialize(self, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration::deserialize(deserializer)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
        duration::deserialize(text)
            .map_err(|_| "a duration with its unit, such as \"30s\" or \"1m30s\"".to_owned())
    }
}

/// A value of ours for what asks for one of serde's.
struct Own<T>(T);

impl<T: Data> Serialize for Own<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<'de, T: Data> Deserialize<'de> for Own<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

/// `"none"` is none: a field that is missing has its default, and TOML has no null.
impl<T: Data> Data for Option<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        or_none::serialize(&self.as_ref().map(Own), serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read: Option<Own<T>> = or_none::deserialize(deserializer)?;
        Ok(read.map(|own| own.0))
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(None),
            _ => T::parse(text)
                .map(Some)
                .map_err(|expected| format!("{expected}, or \"none\"")),
        }
    }
}

/// `"none"` is off; what is missing is inherited.
impl<T: Data> Data for Setting<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = match self {
            Self::Set(own) => Some(Own(own)),
            Self::Off | Self::Inherit => None,
        };
        or_none::serialize(&own, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::read(deserializer).map(|own| own.map_or(Self::Off, Self::Set))
    }

    fn is_unset(&self) -> bool {
        matches!(self, Self::Inherit)
    }
}

const PROTOCOLS: [(&str, Protocol); 3] = [
    ("auto", Protocol::Auto),
    ("http1", Protocol::Http1),
    ("http2", Protocol::Http2),
];

impl Data for Protocol {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = PROTOCOLS.iter().find(|(_, known)| known == self);
        let name = name.map(|(name, _)| *name);
        name.ok_or_else(|| serde::ser::Error::custom("a protocol without a name"))?
            .serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|expected| {
            D::Error::custom(format_args!("it is {text:?}, but must be {expected}"))
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let found = PROTOCOLS.iter().find(|(name, _)| *name == text);
        let found = found.map(|(_, protocol)| *protocol);
        found.ok_or_else(|| "\"auto\", \"http1\" or \"http2\"".to_owned())
    }
}

/// Headers are a map, with a list where a name has several values. What is in them stays out of errors.
impl Data for Vec<(String, String)> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut by_name: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in self {
            match by_name.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => values.push(value),
                None => by_name.push((name, vec![value])),
            }
        }
        let mut map = serializer.serialize_map(Some(by_name.len()))?;
        for (name, values) in by_name {
            match values[..] {
                [value] => map.serialize_entry(name, value)?,
                _ => map.serialize_entry(name, &values)?,
            }
        }
        map.end()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Headers)
    }

    fn is_unset(&self) -> bool {
        self.is_empty()
    }
}

struct Headers;

impl<'de> Visitor<'de> for Headers {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut headers = Vec::new();
        while let Some((name, Values(values))) = map.next_entry::<String, Values>()? {
            headers.extend(values.into_iter().map(|value| (name.clone(), value)));
        }
        Ok(headers)
    }
}

struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Values {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts")
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<Self, E> {
        self.0.push(value.to_owned());
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<Self, A::Error> {
        while let Some(value) = values.next_element()? {
            self.0.push(value);
        }
        Ok(self)
    }
}
