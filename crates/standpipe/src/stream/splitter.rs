use memchr::memchr2;

/// Up to this many bytes the buffer of a line is kept for the next one.
const KEPT: usize = 64 * 1024;

/// Cuts bytes into lines that end in LF, CR or CRLF, however the bytes are cut into chunks. A line
/// that lies in one chunk is not copied.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    max: usize,
    /// The begin of a line whose end has not come.
    begun: Vec<u8>,
    /// What was begun is complete, was given, and goes with the next call.
    given: bool,
    /// A LF that comes next belongs to the CR before it.
    after_cr: bool,
}

/// A line is longer than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl LineSplitter {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            begun: Vec::new(),
            given: false,
            after_cr: false,
        }
    }

    pub(crate) fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// How much of `input` was used up, and the next line without its end; none where its end is not
    /// in `input`, all of which is used up then. A line that ends in CR is given before it is known
    /// whether a LF follows.
    pub(crate) fn next<'a>(
        &'a mut self,
        input: &'a [u8],
    ) -> Result<(usize, Option<&'a [u8]>), TooLong> {
        if std::mem::take(&mut self.given) {
            self.begun.clear();
            self.begun.shrink_to(KEPT);
        }
        let mut from = 0;
        if self.after_cr && !input.is_empty() {
            self.after_cr = false;
            from = usize::from(input[0] == b'\n');
        }
        let rest = &input[from..];
        let Some(at) = memchr2(b'\n', b'\r', rest) else {
            self.check(rest.len())?;
            self.begun.extend_from_slice(rest);
            return Ok((input.len(), None));
        };
        self.check(at)?;
        let line = &rest[..at];
        self.after_cr = rest[at] == b'\r';
        let used = from + at + 1;
        if self.begun.is_empty() {
            return Ok((used, Some(line)));
        }
        self.begun.extend_from_slice(line);
        self.given = true;
        Ok((used, Some(&self.begun)))
    }

    /// The last line, where it has no end.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        if self.given {
            return None;
        }
        let rest = std::mem::take(&mut self.begun);
        (!rest.is_empty()).then_some(rest)
    }

    fn check(&self, more: usize) -> Result<(), TooLong> {
        match self.begun.len() + more > self.max {
            true => Err(TooLong),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(splitter: &mut LineSplitter, chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            while let (used, Some(line)) = splitter.next(input).unwrap() {
                lines.push(String::from_utf8(line.to_vec()).unwrap());
                input = &input[used..];
            }
        }
        lines
    }

    /// SSE-01
    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut() {
        let text = b"a\nb\rc\r\n\r\n\n\r\rdd\r\n\n\r";
        let expected = ["a", "b", "c", "", "", "", "", "dd", "", ""];
        for cuts in 0..1_u32 << (text.len() - 1) {
            let mut chunks = Vec::new();
            let mut from = 0;
            for at in 1..text.len() {
                if cuts & (1 << (at - 1)) != 0 {
                    chunks.push(&text[from..at]);
                    from = at;
                }
            }
            chunks.push(&text[from..]);
            let mut splitter = LineSplitter::new(9);
            assert_eq!(lines(&mut splitter, &chunks), expected, "{chunks:?}");
            assert_eq!(splitter.rest(), None);
        }
    }

    #[test]
    fn what_has_no_end_is_the_rest() {
        let mut splitter = LineSplitter::new(9);
        assert_eq!(lines(&mut splitter, &[b"a\nb", b"c"]), ["a"]);
        assert_eq!(splitter.rest().unwrap(), b"bc");
        assert_eq!(splitter.rest(), None);
        assert_eq!(lines(&mut splitter, &[b"d", b"e\n"]), ["de"]);
        assert_eq!(splitter.rest(), None);
    }

    /// SSE-06
    #[test]
    fn a_line_of_the_limit_passes_and_one_byte_more_does_not() {
        for chunks in [
            &[&b"12345\n"[..]][..],
            &[b"123", b"45\r"],
            &[b"12345", b"\n"],
        ] {
            assert_eq!(lines(&mut LineSplitter::new(5), chunks), ["12345"]);
            let mut splitter = LineSplitter::new(4);
            let refused = chunks.iter().any(|chunk| splitter.next(chunk).is_err());
            assert!(refused, "{chunks:?}");
        }
    }

    #[test]
    fn a_line_in_one_chunk_is_not_copied() {
        let chunk = b"whole\nbegun".to_vec();
        let mut splitter = LineSplitter::new(9);
        let (used, line) = splitter.next(&chunk).unwrap();
        assert_eq!((used, line.unwrap().as_ptr()), (6, chunk.as_ptr()));
    }
}
