//! Connecting ahead of the first event.

use aws_sdk_dynamodb::config::http::HttpRequest;

/// Makes a client's request one for its service's health check, `GET /ping`: it connects through the very client that
/// the function's requests use, does nothing, and costs nothing.
pub(crate) fn ping(request: &mut HttpRequest) {
    let service: Vec<&str> = request.uri().split('/').take(3).collect();
    let address = format!("{}/ping", service.join("/"));
    // Both are well-formed; were they not, there would be no warm connection, and that is all.
    let _ = (request.set_uri(address), request.set_method("GET"));
    *request.body_mut() = "".into();
    for header in ["content-length", "content-type", "x-amz-target"] {
        request.headers_mut().remove(header);
    }
}
