use standpipe_core::{Error, ErrorKind, Phase, RequestSent};

/// Below this a ratio says nothing: a short text of one word a thousand times is no attack.
const FREE: u64 = 1 << 20;

/// How much may come out of a compressed body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_bytes: Option<u64>,
    pub(super) max_ratio: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: Some(1 << 30),
            max_ratio: Some(200),
        }
    }
}

impl Limits {
    /// Whether `decoded` bytes may have come out of `encoded` ones.
    pub(super) fn check(&self, decoded: u64, encoded: u64) -> Result<(), Error> {
        if let Some(limit) = self.max_bytes
            && decoded > limit
        {
            return Err(too_large(limit, "decompressed"));
        }
        if let Some(ratio) = self.max_ratio {
            let limit = encoded.saturating_mul(ratio.into()).max(FREE);
            if decoded > limit {
                let why = format!("it grows to more than {ratio} times its size");
                return Err(too_large(limit, &why));
            }
        }
        Ok(())
    }
}

#[cold]
fn too_large(limit: u64, why: &str) -> Error {
    Error::new(ErrorKind::BodyTooLarge { limit })
        .with_phase(Phase::Body)
        .with_request_sent(RequestSent::Yes)
        .with_message(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DEC-01
    #[test]
    fn size_and_ratio_are_bounds_that_may_be_reached() {
        let limits = Limits {
            max_bytes: Some(10 * FREE),
            max_ratio: Some(2),
        };
        for (decoded, encoded, fine) in [
            (0, 0, true),
            (FREE, 1, true),
            (FREE + 1, 1, false),
            (4 * FREE, 2 * FREE, true),
            (4 * FREE + 1, 2 * FREE, false),
            (10 * FREE, u64::MAX, true),
            (10 * FREE + 1, u64::MAX, false),
        ] {
            let checked = limits.check(decoded, encoded);
            assert_eq!(checked.is_ok(), fine, "{decoded} of {encoded}");
        }
        let none = Limits {
            max_bytes: None,
            max_ratio: None,
        };
        assert!(none.check(u64::MAX, 0).is_ok());
    }
}
