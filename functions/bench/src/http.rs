//! As much of HTTP/1.1 as AWS's clients speak: a length before each body, connections that stay.

use std::io::{self, BufRead, Read, Write};

use serde::Serialize;

/// The largest body, bytes: what DynamoDB takes.
const LARGEST_BODY: u64 = 16 << 20;

/// What the stand-in looks at.
#[derive(Debug, Default)]
pub struct Request {
    /// The request's path.
    pub path: String,
    /// `X-Amz-Target`: which operation of which service; empty for SageMaker, which has a path.
    pub target: String,
    /// All of it.
    pub body: Vec<u8>,
}

/// A status and JSON.
#[derive(Debug)]
pub struct Response {
    status: &'static str,
    media_type: &'static str,
    /// All of it.
    pub body: Vec<u8>,
}

impl Response {
    /// As SageMaker's container answers.
    pub fn json(body: &impl Serialize) -> Self {
        Self { status: "200 OK", media_type: "application/json", body: bytes(body) }
    }

    /// As the services answer that have a target.
    pub fn aws_json(body: &impl Serialize) -> Self {
        Self { media_type: "application/x-amz-json-1.0", ..Self::json(body) }
    }

    /// An error that no client tries again.
    pub fn refusal(body: &impl Serialize) -> Self {
        Self { status: "400 Bad Request", ..Self::aws_json(body) }
    }
}

/// The connection's next request; `None` when there is none.
///
/// # Errors
///
/// It is no request, or the connection broke.
pub fn read(reader: &mut impl BufRead, mut writer: impl Write) -> io::Result<Option<Request>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Request { path, ..Request::default() };
    let (mut length, mut expects) = (0, false);
    while let Some(header) = line(reader)?.filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            "x-amz-target" => value.trim().clone_into(&mut request.target),
            "expect" => expects = true,
            _ => (),
        }
    }
    if length > LARGEST_BODY {
        return Err(io::Error::other("a body that is too large"));
    }
    if expects {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    reader.take(length).read_to_end(&mut request.body)?;
    Ok(Some(request))
}

/// Writes head and body in one piece, as one packet where they fit.
///
/// # Errors
///
/// The connection broke.
pub fn write(mut writer: impl Write, response: &Response) -> io::Result<()> {
    let Response { status, media_type, body } = response;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nx-amzn-requestid: bench\r\n\r\n"
    );
    writer.write_all(&[head.as_bytes(), body].concat())
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = reader.read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok((read > 0).then_some(line))
}

fn bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("what the bench answers is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_connection_are_read_one_after_the_other() {
        let text = "POST / HTTP/1.1\r\nX-Amz-Target: a.B\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}\
                    POST /endpoints/e/invocations HTTP/1.1\r\nhost: h\r\n\r\n";
        let (mut reader, mut told) = (text.as_bytes(), Vec::new());
        let first = read(&mut reader, &mut told).unwrap().unwrap();
        assert_eq!((first.path.as_str(), first.target.as_str(), first.body.as_slice()), ("/", "a.B", &b"{}"[..]));
        assert_eq!(told, b"HTTP/1.1 100 Continue\r\n\r\n");
        let second = read(&mut reader, &mut told).unwrap().unwrap();
        assert_eq!((second.path.as_str(), second.body.len()), ("/endpoints/e/invocations", 0));
        assert!(read(&mut reader, &mut told).unwrap().is_none());
    }

    #[test]
    fn answers_carry_their_length() {
        let mut written = Vec::new();
        write(&mut written, &Response::json(&"ä")).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("content-length: 4\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n\"ä\""), "{text}");
    }
}
