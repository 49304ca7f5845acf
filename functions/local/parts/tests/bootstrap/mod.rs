//! A `bootstrap`: the test's own program, told to be one.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use local::function::{Builder, Function};
use serde_json::{Value, json};

pub(crate) fn bootstrap() -> Builder {
    let program = env::current_exe().unwrap();
    Function::builder(program).name("enrich").args(["--ignored", "--exact", "--nocapture", "bootstrap::is_a_bootstrap"])
}

/// Whether the process runs. One that has ended, and nobody has asked how, only has an entry left.
pub(crate) fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // "7 (name) Z …", with anything in the name.
    let ended = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    !ended && nix::sys::signal::kill(pid, None).is_ok()
}

#[test]
#[ignore = "the process that the other tests start"]
fn is_a_bootstrap() {
    // Asked for by somebody who runs ignored tests too.
    let Ok(address) = env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    println!("\na line");
    eprintln!("an error line");
    if env::var("INIT").is_ok() {
        let error = r#"{"errorType":"Config","errorMessage":"TABLE_NAME is missing"}"#;
        ask(&address, "POST", "/2018-06-01/runtime/init/error", error);
        std::process::exit(1);
    }
    loop {
        let (headers, event) = ask(&address, "GET", "/2018-06-01/runtime/invocation/next", "");
        let event: Value = serde_json::from_str(&event).unwrap();
        let id = headers["lambda-runtime-aws-request-id"].as_str().unwrap();
        let (path, answer) = act(&event, &headers);
        ask(&address, "POST", &format!("/2018-06-01/runtime/invocation/{id}/{path}"), &answer.to_string());
    }
}

fn act(event: &Value, headers: &Value) -> (&'static str, Value) {
    if let Some(status) = event["exit"].as_i64() {
        std::process::exit(i32::try_from(status).unwrap());
    }
    if let Some(milliseconds) = event["sleep"].as_u64() {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
    // Lets the test know that this is in progress, and waits for its leave.
    if let Some(address) = event["call"].as_str() {
        let _ = TcpStream::connect(address).unwrap().read(&mut [0]);
    }
    if let Some(lines) = event["say"].as_str() {
        println!("{lines}");
    }
    if event["pid"] == true {
        return ("response", std::process::id().into());
    }
    if event["fail"] == true {
        return ("error", json!({ "errorType": "Bad", "errorMessage": "told to fail" }));
    }
    if event["environment"] == true {
        return ("response", env::vars().map(|(name, value)| (name, Value::from(value))).collect());
    }
    ("response", json!({ "event": event, "headers": headers }))
}

/// As little HTTP as it takes.
fn ask(address: &str, method: &str, path: &str, body: &str) -> (Value, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    (headers.map(|(name, value)| (name.to_owned(), Value::from(value))).collect(), body.to_owned())
}
