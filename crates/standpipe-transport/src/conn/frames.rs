//! The heads of the HTTP/2 frames that come in (RFC 9113, 4.1).
//!
//! hyper tells neither that the peer's SETTINGS have come nor that it is about to close the connection
//! (GOAWAY) while streams go on. Both are plain to see in the frames' heads.

const HEAD: usize = 9;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

/// ENHANCE_YOUR_CALM (RFC 9113, 7).
const CALM: [u8; 4] = 11u32.to_be_bytes();
/// Of a GOAWAY: the last stream and the code (RFC 9113, 6.8).
const CODE_ENDS: usize = 8;

/// What came in with some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The last byte of the peer's SETTINGS.
    pub(super) settings: bool,
    /// The head of a GOAWAY.
    pub(super) goaway: bool,
    /// The last stream of a GOAWAY that the peer means to process.
    pub(super) last: Option<u32>,
    /// The code of a GOAWAY, which asks for calm.
    pub(super) calm: bool,
    /// The highest stream of which there were HEADERS; zero without any.
    pub(super) stream: u32,
}

/// Where in the stream of frames the next byte stands.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// Bytes of `head` that are there.
    filled: usize,
    /// Bytes of the frame's payload still to come.
    payload: usize,
    /// The first bytes of a GOAWAY's payload, and how many of them are there.
    goaway: [u8; CODE_ENDS],
    kept: usize,
}

impl Frames {
    /// Takes the next bytes of the connection.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        loop {
            if self.filled < HEAD {
                if self.filled == 0
                    && let Some((head, rest)) = bytes.split_first_chunk()
                {
                    // Nearly always: a read ends where a frame does.
                    self.head = *head;
                    bytes = rest;
                } else {
                    let wanted = (HEAD - self.filled).min(bytes.len());
                    let (head, rest) = bytes.split_at(wanted);
                    self.head[self.filled..self.filled + wanted].copy_from_slice(head);
                    self.filled += wanted;
                    bytes = rest;
                    if self.filled < HEAD {
                        return seen;
                    }
                }
                self.filled = HEAD;
                let [a, b, c, kind, ..] = self.head;
                self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                seen.goaway |= kind == GOAWAY;
                if kind == HEADERS {
                    seen.stream = seen.stream.max(stream_of(self.head.last_chunk()));
                }
                self.kept = 0;
            }
            let passed = self.payload.min(bytes.len());
            if self.head[3] == GOAWAY {
                self.keep(&bytes[..passed], &mut seen);
            }
            self.payload -= passed;
            bytes = &bytes[passed..];
            if self.payload > 0 {
                return seen;
            }
            self.filled = 0;
            let [_, _, _, kind, flags, ..] = self.head;
            seen.settings |= kind == SETTINGS && flags & ACK == 0;
            if bytes.is_empty() {
                return seen;
            }
        }
    }
}

impl Frames {
    /// What a client sends: the same after its preface (RFC 9113, 3.4).
    pub(super) fn of_client() -> Self {
        Self {
            head: [u8::MAX; HEAD],
            filled: HEAD,
            payload: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len(),
            ..Self::default()
        }
    }

    /// Keeps what of a GOAWAY's payload is to be read, and reads it when it is there.
    #[cold]
    fn keep(&mut self, payload: &[u8], seen: &mut Seen) {
        let wanted = (CODE_ENDS - self.kept).min(payload.len());
        self.goaway[self.kept..self.kept + wanted].copy_from_slice(&payload[..wanted]);
        self.kept += wanted;
        if wanted > 0 && self.kept == CODE_ENDS {
            seen.calm |= self.goaway[4..] == CALM;
            seen.last = Some(stream_of(self.goaway.first_chunk()));
        }
    }
}

/// The number of a stream, whose first bit is reserved.
fn stream_of(bytes: Option<&[u8; 4]>) -> u32 {
    u32::from_be_bytes(*bytes.unwrap_or(&[0; 4])) & (u32::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = payload.to_be_bytes();
        let mut bytes = vec![length[5], length[6], length[7], kind, flags, 0, 0, 0, 0];
        bytes.resize(HEAD + payload, kind);
        bytes
    }

    #[test]
    fn settings_count_once_their_last_byte_is_there_and_an_acknowledgement_does_not() {
        let bytes = frame(SETTINGS, 0, 12);
        let mut frames = Frames::default();
        assert_eq!(frames.feed(&bytes[..20]), Seen::default());
        assert!(frames.feed(&bytes[20..]).settings);
        assert_eq!(frames.feed(&frame(SETTINGS, ACK, 0)), Seen::default());
        assert!(frames.feed(&frame(SETTINGS, 0, 0)).settings);
    }

    #[test]
    fn a_goaway_is_seen_with_its_head() {
        let mut frames = Frames::default();
        let bytes = frame(GOAWAY, 0, 8);
        assert!(frames.feed(&bytes[..HEAD]).goaway);
        assert!(!frames.feed(&bytes[HEAD..]).goaway);
    }

    #[test]
    fn a_goaway_that_asks_for_calm_is_told_from_others_once() {
        for (code, calm) in [(11, true), (0, false), (11 << 8, false)] {
            let mut bytes = frame(GOAWAY, 0, 20);
            bytes[HEAD + 4..HEAD + 8].copy_from_slice(&u32::to_be_bytes(code));
            for cut in 1..bytes.len() {
                let mut frames = Frames::default();
                let parts = [&bytes[..cut], &bytes[cut..]];
                let seen = parts.map(|part| frames.feed(part));
                let expected = [calm && cut >= HEAD + 8, calm && cut < HEAD + 8];
                assert_eq!(seen.map(|seen| seen.calm), expected, "{code}, cut at {cut}");
                let last = seen.iter().find_map(|seen| seen.last);
                assert_eq!(last, Some(u32::from_be_bytes([7; 4])));
            }
        }
    }

    #[test]
    fn the_streams_that_a_client_opens_are_counted_from_behind_its_preface() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(SETTINGS, 0, 6));
        for stream in [1, 5, 3] {
            let mut headers = frame(HEADERS, 4, 7);
            headers[HEAD - 1] = stream;
            // The reserved bit counts for nothing.
            headers[5] = 0x80;
            bytes.extend(headers);
        }
        for cut in 1..bytes.len() {
            let mut frames = Frames::of_client();
            let seen = [&bytes[..cut], &bytes[cut..]].map(|part| frames.feed(part).stream);
            assert_eq!(seen.into_iter().max(), Some(5));
        }
    }

    proptest! {
        #[test]
        fn what_is_seen_does_not_hang_on_where_the_reads_end(
            kinds in proptest::collection::vec((0u8..10, 0u8..2, 0usize..40), 0..20),
            cuts in proptest::collection::vec(1usize..30, 1..50),
        ) {
            let bytes: Vec<u8> = kinds.iter().flat_map(|&(k, f, p)| frame(k, f, p)).collect();
            let mut frames = Frames::default();
            let mut seen = Seen::default();
            let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                let more = frames.feed(now);
                seen.settings |= more.settings;
                seen.goaway |= more.goaway;
                rest = later;
            }
            let expected = Seen {
                settings: kinds.iter().any(|&(k, f, _)| k == SETTINGS && f == 0),
                goaway: kinds.iter().any(|&(k, _, _)| k == GOAWAY),
                calm: seen.calm,
                last: seen.last,
                stream: 0,
            };
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let mut frames = Frames::default();
            frames.feed(&bytes);
            frames.feed(&bytes);
        }
    }
}
