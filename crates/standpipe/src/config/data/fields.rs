use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Settings by the names of their fields.
pub(super) trait Fields: Sized {
    const NAMES: &'static [&'static str];

    /// Sets the field of this name, which is one of [`NAMES`](Self::NAMES).
    fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error>;
}

/// The value of a field as data.
pub(super) trait Data: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Reads the text of an environment variable; its error says what the text must be.
    fn parse(_: &str) -> Result<Self, String> {
        Err("set in code or a file".to_owned())
    }

    /// Whether it says nothing, and is left out.
    fn is_unset(&self) -> bool {
        false
    }
}

/// Implements the traits of `serde` and [`Fields`] for a struct by the list of its fields.
macro_rules! fields {
    ($ty:ident { $($field:ident,)* }) => {
        impl serde::Serialize for $ty {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                use $crate::config::data::fields::{Data, Written};

                // A field that is not in the list does not compile.
                let Self { $($field),* } = self;
                let length = 0 $(+ usize::from(!$field.is_unset()))*;
                let mut written = serializer.serialize_struct(stringify!($ty), length)?;
                $(if $field.is_unset() {
                    written.skip_field(stringify!($field))?;
                } else {
                    written.serialize_field(stringify!($field), &Written($field))?;
                })*
                written.end()
            }
        }

        /// Each field that is missing has its default.
        impl<'de> serde::Deserialize<'de> for $ty {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::DeserializeSeed;

                $crate::config::data::fields::Over(Self::default()).deserialize(deserializer)
            }
        }

        impl $crate::config::data::fields::Fields for $ty {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];

            fn read_field<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                use $crate::config::data::fields::Read;

                match name {
                    $(stringify!($field) => {
                        self.$field = map.next_value_seed(Read::new(stringify!($field)))?;
                    })*
                    _ => return Err(serde::de::Error::unknown_field(name, Self::NAMES)),
                }
                Ok(())
            }
        }

        impl $ty {
            /// Sets the field of this name from text; none where there is no such field.
            #[allow(dead_code, reason = "the environment has settings of the pool alone")]
            fn parse_field(&mut self, name: &str, text: &str) -> Option<Result<(), String>> {
                use $crate::config::data::fields::Data;

                match name {
                    $(stringify!($field) => {
                        Some(Data::parse(text).map(|value| self.$field = value))
                    })*
                    _ => None,
                }
            }
        }
    };
}
pub(super) use fields;

/// Reads what the data names over the settings in it.
pub(super) struct Over<T>(pub(super) T);

impl<'de, T: Fields> DeserializeSeed<'de> for Over<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_struct("settings", T::NAMES, self)
    }
}

impl<'de, T: Fields> Visitor<'de> for Over<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut settings = self.0;
        let mut read = Vec::new();
        while let Some(name) = map.next_key_seed(Name(T::NAMES))? {
            if read.contains(&name) {
                return Err(A::Error::duplicate_field(name));
            }
            read.push(name);
            settings.read_field(name, &mut map)?;
        }
        Ok(settings)
    }
}

/// One of these names. It is told in the key's own deserializer, which knows where that stands.
struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        let known = self.0.iter().find(|known| **known == name);
        known.copied().ok_or_else(|| E::unknown_field(name, self.0))
    }
}

/// Serializes a value as data.
pub(super) struct Written<'a, T>(pub(super) &'a T);

impl<T: Data> Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

/// Deserializes the value of the field of this name; an error repeats the name, which few formats tell.
pub(super) struct Read<T>(&'static str, PhantomData<T>);

impl<T> Read<T> {
    pub(super) fn new(name: &'static str) -> Self {
        Self(name, PhantomData)
    }
}

impl<'de, T: Data> DeserializeSeed<'de> for Read<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let name = self.0;
        T::read(deserializer).map_err(|error| D::Error::custom(format_args!("{name}: {error}")))
    }
}
