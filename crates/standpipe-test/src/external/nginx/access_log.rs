use std::collections::BTreeMap;
use std::io;

/// What nginx has logged, in its order: one entry for each request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLog(Vec<Access>);

/// One request as nginx saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The number of the connection. Each connection has its own until nginx is restarted.
    pub connection: u64,
    /// Which request of its connection this was: the first is 1.
    pub nth: u64,
    /// The request line, such as `GET /hello HTTP/1.1`.
    pub request: String,
    /// The status of the response.
    pub status: u16,
}

impl AccessLog {
    /// The requests.
    pub fn lines(&self) -> &[Access] {
        &self.0
    }

    /// How many connections carried a request.
    pub fn connections(&self) -> usize {
        self.requests_per_connection().len()
    }

    /// How many requests each connection carried, by the connection's number.
    pub fn requests_per_connection(&self) -> BTreeMap<u64, usize> {
        let mut requests = BTreeMap::new();
        for access in &self.0 {
            *requests.entry(access.connection).or_default() += 1;
        }
        requests
    }

    /// Reads the lines that are complete: nginx may be writing the last.
    pub(super) fn parse(text: &str) -> io::Result<Self> {
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = complete.lines().map(|line| {
            Access::parse(line).ok_or_else(|| {
                let message = format!("no line of an access log: `{line}`");
                io::Error::new(io::ErrorKind::InvalidData, message)
            })
        });
        lines.collect::<io::Result<_>>().map(Self)
    }
}

impl Access {
    fn parse(line: &str) -> Option<Self> {
        let (connection, rest) = line.split_once(' ')?;
        let (nth, rest) = rest.split_once(' ')?;
        let (request, status) = rest.rsplit_once(' ')?;
        Some(Self {
            connection: connection.parse().ok()?,
            nth: nth.parse().ok()?,
            request: request.to_owned(),
            status: status.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_connection_and_a_half_written_line_is_left() {
        let text = "3 1 GET / HTTP/1.1 200\n5 1  400\n3 2 GET /a b HTTP/1.1 404\n5 2 GET";
        let log = AccessLog::parse(text).unwrap();
        assert_eq!(log.connections(), 2);
        assert_eq!(log.requests_per_connection(), [(3, 2), (5, 1)].into());
        let last = Access {
            connection: 3,
            nth: 2,
            request: "GET /a b HTTP/1.1".to_owned(),
            status: 404,
        };
        assert_eq!(log.lines().last(), Some(&last));
    }

    #[test]
    fn a_line_of_another_form_is_an_error_and_no_lines_are_none() {
        let error = AccessLog::parse("something else\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(AccessLog::parse("").unwrap(), AccessLog::default());
    }
}
