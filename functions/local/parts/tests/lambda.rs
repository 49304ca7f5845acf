//! Several processes under the Lambda service: this test's own program, told to be a `bootstrap`.

mod bootstrap;

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use local::{
    function::Function,
    lambda::{Counts, Error, Invocation, Lambda, Options, Throttled},
    runtime_api::Outcome,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use self::bootstrap::{bootstrap, is_there};

fn lambda() -> Lambda {
    Lambda::new(bootstrap(), Options::default()).unwrap()
}

fn limited(concurrency: usize) -> Lambda {
    Lambda::new(bootstrap(), Options { concurrency: Some(concurrency), ..Options::default() }).unwrap()
}

async fn invoke(lambda: &Lambda, event: Value) -> Outcome {
    lambda.invoke(event.to_string()).await.unwrap().outcome
}

/// The process that answers, and whether it was started for that.
async fn pid(lambda: &Lambda) -> (u32, bool) {
    let invocation = lambda.invoke(r#"{"pid":true}"#).await.unwrap();
    let Outcome::Response(pid) = &invocation.outcome else { panic!("{:?}", invocation.outcome) };
    (serde_json::from_slice(pid).unwrap(), invocation.cold_start.is_some())
}

/// An invocation in progress. It goes on when the connection is closed.
struct Running {
    connection: TcpStream,
    task: JoinHandle<Result<Invocation, Throttled>>,
}

impl Running {
    async fn start(lambda: &Arc<Lambda>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let event = json!({ "call": listener.local_addr().unwrap().to_string(), "pid": true }).to_string();
        let invoked = Arc::clone(lambda);
        let task = tokio::spawn(async move { invoked.invoke(event).await });
        let accepted = tokio::task::spawn_blocking(move || listener.accept().unwrap());
        Self { connection: accepted.await.unwrap().0, task }
    }

    async fn outcome(self) -> Outcome {
        drop(self.connection);
        self.task.await.unwrap().unwrap().outcome
    }
}

/// Waits for what another process or thread does in a moment.
async fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what} is still not so");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn each_invocation_in_progress_has_an_environment_and_the_last_used_is_used_again() {
    let lambda = Arc::new(limited(2));
    let (first, second) = (Running::start(&lambda).await, Running::start(&lambda).await);
    assert_eq!(lambda.invoke("{}").await.unwrap_err(), Throttled { limit: 2 });
    let busy = Counts { alive: 2, started: 2, invocations: 2, in_flight: 2, throttled: 1, ..Counts::default() };
    assert_eq!(lambda.counts(), busy);

    let Outcome::Response(_) = second.outcome().await else { panic!() };
    let Outcome::Response(last) = first.outcome().await else { panic!() };
    let last: u32 = serde_json::from_slice(&last).unwrap();
    assert_eq!(pid(&lambda).await, (last, false));
    assert_eq!(pid(&lambda).await, (last, false));
    assert_eq!(lambda.counts(), Counts { in_flight: 0, invocations: 4, ..busy });
}

#[tokio::test]
async fn a_function_with_no_concurrency_is_always_throttled() {
    let lambda = limited(0);
    let throttled = lambda.invoke("{}").await.unwrap_err();
    assert_eq!(throttled.to_string(), "the function is throttled: 0 invocations are in progress, and no more may be");
    assert_eq!(lambda.counts(), Counts { throttled: 1, ..Counts::default() });
}

#[tokio::test]
async fn an_environment_that_took_too_long_is_gone_when_that_is_said() {
    let lambda = Lambda::new(bootstrap().timeout(Duration::from_secs(3)), Options::default()).unwrap();
    let (before, _) = pid(&lambda).await;
    assert_eq!(invoke(&lambda, json!({ "sleep": 60_000 })).await, Outcome::TimedOut);
    assert!(!is_there(before));
    let (after, cold) = pid(&lambda).await;
    assert!(after != before && cold);
    let counts = lambda.counts();
    assert_eq!((counts.alive, counts.started, counts.errors, counts.timeouts, counts.killed), (1, 2, 1, 1, 0));
}

#[tokio::test]
async fn an_environment_that_died_is_replaced() {
    let lambda = lambda();
    let Outcome::Error { kind, message } = invoke(&lambda, json!({ "exit": 7 })).await else { panic!() };
    assert_eq!(kind, "Runtime.ExitError");
    assert!(message.contains("exit status: 7"), "{message}");
    assert!(pid(&lambda).await.1, "a new one");
    assert!(matches!(invoke(&lambda, json!({ "fail": true })).await, Outcome::Error { .. }));
    assert!(!pid(&lambda).await.1, "one that only failed is kept");
    let counts = lambda.counts();
    assert_eq!((counts.alive, counts.started, counts.errors, counts.invocations), (1, 2, 2, 4));
}

#[tokio::test]
async fn a_function_that_cannot_start_says_so_and_leaves_nothing() {
    let lambda = Lambda::new(bootstrap().env("INIT", "error"), Options::default()).unwrap();
    let expected = Outcome::InitError { kind: "Config".to_owned(), message: "TABLE_NAME is missing".to_owned() };
    assert_eq!(invoke(&lambda, json!({})).await, expected);
    let counts = lambda.counts();
    assert_eq!((counts.alive, counts.started, counts.errors, counts.in_flight), (0, 1, 1, 0));

    let missing = Lambda::new(Function::builder("/nowhere/bootstrap"), Options::default()).unwrap();
    let Outcome::InitError { kind, message } = invoke(&missing, json!({})).await else { panic!() };
    assert_eq!(kind, "Runtime.InvalidEntrypoint");
    assert!(message.contains("/nowhere/bootstrap") && message.contains("No such file"), "{message}");
    let counts = missing.counts();
    assert_eq!((counts.alive, counts.started, counts.errors, counts.in_flight), (0, 0, 1, 0));
}

#[tokio::test]
async fn environments_are_killed_in_mid_invocation_the_oldest_first() {
    let lambda = Arc::new(lambda());
    assert!(!lambda.kill_one().await, "there is none");
    let (first, second) = (Running::start(&lambda).await, Running::start(&lambda).await);
    assert!(lambda.kill_one().await);
    let Outcome::Error { kind, message } = first.outcome().await else { panic!() };
    assert_eq!(kind, "Runtime.ExitError");
    assert!(message.contains("signal: 9"), "{message}");
    assert!(matches!(second.outcome().await, Outcome::Response(_)), "the other goes on");

    let (one, other) = (Running::start(&lambda).await, Running::start(&lambda).await);
    let third = Running::start(&lambda).await;
    assert!(matches!(third.outcome().await, Outcome::Response(_)), "this one is idle now");
    assert_eq!(lambda.kill_all().await, 3);
    for killed in [one, other] {
        assert!(matches!(killed.outcome().await, Outcome::Error { .. }));
    }
    assert_eq!((lambda.counts().killed, lambda.counts().alive, lambda.counts().in_flight), (4, 0, 0));
    assert!(pid(&lambda).await.1, "and the function runs again");
}

#[tokio::test]
async fn an_environment_that_is_idle_for_too_long_is_thrown_away() {
    let options = Options { idle: Duration::from_millis(1), ..Options::default() };
    let lambda = Lambda::new(bootstrap(), options).unwrap();
    let (pid, _) = pid(&lambda).await;
    soon("its end", || lambda.counts().alive == 0 && !is_there(pid)).await;
}

#[tokio::test]
async fn an_invocation_that_is_given_up_ends_its_environment() {
    let lambda = Arc::new(limited(1));
    let running = Running::start(&lambda).await;
    running.task.abort();
    soon("its end", || lambda.counts().alive == 0 && lambda.counts().in_flight == 0).await;
    assert!(pid(&lambda).await.1);
}

#[tokio::test]
async fn in_a_storm_with_accidents_there_are_never_more_than_may_be_and_nothing_is_lost() {
    let lambda = Arc::new(limited(4));
    let one_after_the_other = |lambda: Arc<Lambda>| async move {
        let (mut answered, mut failed) = (0, 0);
        while answered + failed < 10 {
            match lambda.invoke(r#"{"pid":true}"#).await {
                Ok(Invocation { outcome: Outcome::Response(_), .. }) => answered += 1,
                Ok(_) => failed += 1,
                Err(Throttled { limit: 4 }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(other) => panic!("{other:?}"),
            }
            let Counts { alive, in_flight, .. } = lambda.counts();
            assert!(alive <= 4 && in_flight <= 4, "{alive} alive, {in_flight} in flight");
        }
        (answered, failed)
    };
    let all: Vec<_> = (0..10).map(|_| tokio::spawn(one_after_the_other(Arc::clone(&lambda)))).collect();
    for _ in 0..5 {
        lambda.kill_one().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut answered, mut failed) = (0, 0);
    for one in all {
        let (some, others) = one.await.unwrap();
        (answered, failed) = (answered + some, failed + others);
    }
    let counts = lambda.counts();
    assert_eq!((counts.invocations, counts.errors, counts.in_flight), (100, failed, 0));
    assert!(answered + failed == 100 && failed <= counts.killed && counts.started <= 4 + counts.killed, "{counts:?}");
}

#[tokio::test]
async fn invocations_have_request_ids_of_their_own() {
    let lambda = Arc::new(lambda());
    let (first, second) = (Running::start(&lambda).await, Running::start(&lambda).await);
    let id = async |running: Running| {
        drop(running.connection);
        running.task.await.unwrap().unwrap().request_id
    };
    assert_ne!(id(first).await, id(second).await);
}

#[tokio::test]
async fn every_line_is_in_the_log_and_the_last_ones_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("enrich.log");
    std::fs::write(&log, "what was there\n").unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let seeing = Arc::clone(&seen);
    let bootstrap = || {
        let seeing = Arc::clone(&seeing);
        bootstrap().sink(move |line| {
            seeing.fetch_add(usize::from(line == "a line"), Ordering::SeqCst);
        })
    };
    let lambda = Lambda::new(bootstrap(), Options { log: Some(log.clone()), ..Options::default() }).unwrap();
    for _ in 0..2 {
        invoke(&lambda, json!({ "exit": 1 })).await;
    }
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.starts_with("what was there\n"));
    assert_eq!(lines.lines().filter(|line| *line == "an error line").count(), 2, "{lines}");
    assert_eq!(lambda.lines().iter().filter(|line| *line == "a line").count(), 2);
    assert_eq!(seen.load(Ordering::SeqCst), 2, "and where the builder says");
    for _ in 0..150 {
        invoke(&lambda, json!({ "say": "more\nof it" })).await;
    }
    let said = || std::fs::read_to_string(&log).unwrap().lines().filter(|line| *line == "of it").count();
    soon("the whole log", || said() == 150).await;
    assert_eq!(lambda.lines().len(), 200);

    let nowhere = Options { log: Some("/nowhere/enrich.log".into()), ..Options::default() };
    let error = Lambda::new(bootstrap(), nowhere).unwrap_err();
    assert!(matches!(&error, Error::Log { path, .. } if path == Path::new("/nowhere/enrich.log")), "{error:?}");
}

#[tokio::test]
async fn a_function_that_was_stopped_takes_no_event() {
    let lambda = lambda();
    let (pid, _) = pid(&lambda).await;
    lambda.stop().await;
    assert!(!is_there(pid));
    assert_eq!(lambda.counts().alive, 0);
    assert_eq!(lambda.invoke("{}").await.unwrap_err(), Throttled { limit: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_environments_that_are_being_started() {
    for pause in 0..10 {
        let lambda = Arc::new(lambda());
        let invoke = |lambda: Arc<Lambda>| async move { lambda.invoke(r#"{"sleep":60000}"#).await };
        let invoked: Vec<_> = (0..3).map(|_| tokio::spawn(invoke(Arc::clone(&lambda)))).collect();
        tokio::time::sleep(Duration::from_micros(200 * pause)).await;
        lambda.stop().await;
        assert_eq!(lambda.counts().alive, 0, "after {pause}");
        for one in invoked {
            match one.await.unwrap() {
                Ok(invocation) => assert!(matches!(invocation.outcome, Outcome::Error { .. }), "{invocation:?}"),
                Err(throttled) => assert_eq!(throttled, Throttled { limit: 0 }),
            }
        }
        assert_eq!((lambda.counts().alive, lambda.counts().in_flight), (0, 0), "after {pause}");
    }
}

#[test]
fn dropping_it_anywhere_leaves_no_process() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lambda = lambda();
    let (pid, _) = runtime.block_on(pid(&lambda));
    drop(runtime);
    assert!(is_there(pid));
    drop(lambda);
    assert!(!is_there(pid));
}

#[tokio::test]
async fn environments_end_with_whoever_runs_them_even_when_that_is_killed() {
    let program = std::env::current_exe().unwrap();
    let mut parent = Command::new(program);
    parent.args(["--ignored", "--exact", "--nocapture", "runs_a_function"]).env("RUNS_A_FUNCTION", "1");
    let mut parent = parent.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("pid ")?.parse().ok());
    let pid: u32 = pid.unwrap();
    assert!(is_there(pid));
    parent.kill().unwrap();
    parent.wait().unwrap();
    soon("the environment's end", || !is_there(pid)).await;
}

#[test]
#[ignore = "the process that another test kills"]
fn runs_a_function() {
    // Asked for by somebody who runs ignored tests too.
    if std::env::var_os("RUNS_A_FUNCTION").is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lambda = lambda();
    println!("\npid {}", runtime.block_on(pid(&lambda)).0);
    let _ = std::io::stdin().read_line(&mut String::new());
}
