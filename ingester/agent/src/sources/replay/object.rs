//! An object of S3, read part by part.
//!
//! Each part is a request of its own (`Range`, RFC 9110 section 14), so that neither a slow pace nor a broken connection
//! costs more than one of them; `If-Match` (section 13.1.1) makes sure that all are of one object. Signed as S3 wants it
//! (Signature Version 4: the path as it is, a checksum of the body).

use super::Reach;
use crate::{http, sources::pause::Pause, status::FeedStatus, tls};
use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use reqwest::{
    Response, StatusCode,
    header::{ETAG, HeaderMap, IF_MATCH, RANGE},
};
use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

/// How much is asked for at once.
const PART: u64 = 4 << 20;

/// How long a part may take: 70 KB a second.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Pauses when S3 doesn't answer.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// An object, and how far it was read.
#[derive(Debug)]
pub(super) struct Object {
    http: reqwest::Client,
    aws: SdkConfig,
    region: String,
    bucket: String,
    key: String,
    /// The version that the first part was of.
    etag: Option<String>,
    read: u64,
    over: bool,
}

/// A part couldn't be read.
enum Failure {
    /// Later perhaps.
    Later(anyhow::Error),
    /// Never.
    Never(anyhow::Error),
}

impl Object {
    /// Prepares to read it. What isn't given is found as the SDK finds it.
    pub(super) async fn find(bucket: &str, key: &str, reach: &Reach) -> anyhow::Result<Self> {
        let aws = match &reach.aws {
            Some(aws) => aws.clone(),
            None => runtime::aws::configuration(Duration::from_secs(5), TIMEOUT).await,
        };
        let tls = reach.tls.clone().map_or_else(tls::client, Ok)?;
        let region = aws.region().map(ToString::to_string);
        Ok(Self {
            // A part of something compressed is for this side to put together.
            http: http::builder(&tls, TIMEOUT).no_gzip().build()?,
            region: region.context("no region: set AWS_REGION")?,
            aws,
            bucket: bucket.into(),
            key: key.into(),
            etag: None,
            read: 0,
            over: false,
        })
    }

    /// The next part; nothing at the end. It tries for ever while S3 can't be reached.
    pub(super) async fn read(&mut self, status: &FeedStatus) -> anyhow::Result<Bytes> {
        let mut pause = Pause::between(PAUSES);
        while !self.over {
            match self.part().await {
                Ok(part) => {
                    status.heard();
                    status.trouble(None);
                    return Ok(part);
                }
                Err(Failure::Never(error)) => return Err(error),
                Err(Failure::Later(error)) => {
                    tracing::warn!(
                        feed = status.name,
                        error = format!("{error:#}"),
                        "S3 doesn't answer; it is asked again."
                    );
                    status.trouble(Some(format!("S3 doesn't answer: {error:#}")));
                    tokio::time::sleep(pause.next()).await;
                }
            }
        }
        Ok(Bytes::new())
    }

    async fn part(&mut self) -> Result<Bytes, Failure> {
        let response = self.request().await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT => self.accept(response).await,
            // It doesn't know ranges, so this is all.
            StatusCode::OK if self.read == 0 => {
                let all = self.accept(response).await?;
                self.over = true;
                Ok(all)
            }
            // The part before was the last and full, or the object is empty.
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.over = true;
                Ok(Bytes::new())
            }
            _ => self.refused(response).await,
        }
    }

    async fn accept(&mut self, response: Response) -> Result<Bytes, Failure> {
        if let Some(etag) = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()) {
            self.etag.get_or_insert_with(|| etag.into());
        }
        let part = response.bytes().await.map_err(|error| Failure::Later(error.without_url().into()))?;
        self.read += part.len() as u64;
        self.over = (part.len() as u64) < PART;
        Ok(part)
    }

    async fn refused<T>(&mut self, response: Response) -> Result<T, Failure> {
        let status = response.status();
        if let Some(region) = another_region(&response, &self.region) {
            self.region = region;
            return Err(Failure::Later(anyhow!("the bucket is in {}", self.region)));
        }
        let text = response.text().await.unwrap_or_default();
        let object = format!("s3://{}/{}", self.bucket, self.key);
        let error = match status {
            StatusCode::PRECONDITION_FAILED => anyhow!("{object} was replaced while it was read"),
            _ => anyhow!("S3 doesn't give {object}: {status}{}", code(&text)),
        };
        Err(if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Failure::Later(error)
        } else {
            Failure::Never(error)
        })
    }

    async fn request(&self) -> Result<Response, Failure> {
        let address = self.address();
        let range = format!("bytes={}-{}", self.read, self.read + PART - 1);
        let signature = self.signature(&address, &range).await?;
        let mut request = self.http.get(&address).headers(signature).header(RANGE, range);
        if let Some(etag) = &self.etag {
            request = request.header(IF_MATCH, etag);
        }
        request.send().await.map_err(|error| Failure::Later(error.without_url().into()))
    }

    async fn signature(&self, address: &str, range: &str) -> Result<HeaderMap, Failure> {
        let provider =
            self.aws.credentials_provider().ok_or_else(|| Failure::Never(anyhow!("no credentials for S3")))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.context("could not get credentials for S3").map_err(Failure::Later)?;
        signed(address, range, &self.region, credentials).map_err(Failure::Never)
    }

    fn address(&self) -> String {
        let own = std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|address| !address.is_empty());
        let other = own.as_deref().or_else(|| self.aws.endpoint_url());
        address(other, &self.region, &self.bucket, &self.key)
    }
}

/// Where an object is. A bucket with a dot in its name has no host that its certificate covers, and an emulator has one
/// host only.
fn address(endpoint: Option<&str>, region: &str, bucket: &str, key: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let key = encoded(key);
    match endpoint {
        Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
        None if bucket.contains('.') => format!("https://s3.{region}.{domain}/{bucket}/{key}"),
        None => format!("https://{bucket}.s3.{region}.{domain}/{key}"),
    }
}

/// As Signature Version 4 wants a path: all but unreserved characters and slashes encoded, in upper case.
fn encoded(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(byte.into()),
            // Writing to a String never fails.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

/// Where the bucket really is, if S3 says so.
fn another_region(response: &Response, asked: &str) -> Option<String> {
    let region = response.headers().get("x-amz-bucket-region")?.to_str().ok()?;
    (region != asked && !response.status().is_server_error()).then(|| region.into())
}

/// S3's word for what is wrong, from `<Error><Code>NoSuchKey</Code>…`.
fn code(text: &str) -> String {
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map(|(code, _)| format!(", {}", code.chars().take(100).collect::<String>())).unwrap_or_default()
}

fn signed(address: &str, range: &str, region: &str, credentials: Credentials) -> anyhow::Result<HeaderMap> {
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()?
        .into();
    let request = SignableRequest::new("GET", address, [("range", range)].into_iter(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &parameters)?.into_parts();
    let mut headers = HeaderMap::new();
    for header in instructions.into_parts().0 {
        let mut value: reqwest::header::HeaderValue = header.value().parse()?;
        value.set_sensitive(true);
        headers.insert(header.name(), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_the_bucket_s_own_host_or_a_path_at_another_endpoint() {
        for (endpoint, bucket, region, expected) in [
            (None, "example", "eu-west-1", "https://example.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B.gz"),
            (None, "example.org", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/example.org/a%20b/%C3%BC%2B.gz"),
            (None, "example", "cn-north-1", "https://example.s3.cn-north-1.amazonaws.com.cn/a%20b/%C3%BC%2B.gz"),
            (Some("http://127.0.0.1:1/"), "example", "eu-west-1", "http://127.0.0.1:1/example/a%20b/%C3%BC%2B.gz"),
        ] {
            assert_eq!(address(endpoint, region, bucket, "a b/ü+.gz"), expected);
        }
    }

    #[test]
    fn s3_says_why_in_a_word() {
        assert_eq!(code("<Error><Code>NoSuchKey</Code><Message>m</Message></Error>"), ", NoSuchKey");
        assert_eq!(code("gateway"), "");
    }

    #[test]
    fn signature_covers_host_range_and_checksum_and_is_not_shown() {
        let credentials = Credentials::new("AKIDEXAMPLE", "hunter2", Some("hunter3".into()), None, "test");
        let headers =
            signed("https://example.s3.eu-west-1.amazonaws.com/a", "bytes=0-1", "eu-west-1", credentials).unwrap();
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.contains("/eu-west-1/s3/aws4_request"), "{authorization}");
        let covered = "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token";
        assert!(authorization.contains(covered), "{authorization}");
        assert!(!format!("{headers:?}").contains("hunter"), "{headers:?}");
    }
}
