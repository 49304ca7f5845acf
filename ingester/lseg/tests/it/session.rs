//! A connection from its login to its end, in simulated time.

use crate::feed::{good, login, refresh, state, status, story, update, updates};
use jiff::Timestamp;
use lseg::{Again, Identity, Options, Output, Ric, Session};
use news::{Kind, Status};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const TOKEN: &str = "HEAD.PAYLOAD.SIGNATURE";
const REQUEST: &str = r#"{"ID":2,"Domain":"NewsTextAnalytics","Key":{"Name":"MRN_STORY"}}"#;
const PING: &str = r#"{"Type":"Ping"}"#;

/// A session, and the time.
struct Run {
    session: Session,
    now: Instant,
    first: Vec<Output>,
}

fn options(rics: &[Ric]) -> Options {
    Options {
        identity: Identity::Token(TOKEN.into()),
        application_id: "256".into(),
        position: "10.0.0.5/host".into(),
        service: None,
        rics: rics.into(),
        source: "wire".into(),
    }
}

impl Run {
    fn new(rics: &[Ric]) -> Self {
        let (now, mut first) = (Instant::now(), vec![]);
        let session = Session::with_seed(options(rics), 7, now, &mut first);
        Self { session, now, first }
    }

    /// Logged in and open.
    fn up() -> Self {
        let mut run = Self::new(&[Ric::Story]);
        assert_eq!(run.receive(&json!([login(&good())])), [format!("send {REQUEST}")]);
        assert_eq!(run.receive(&json!([refresh(2, &good())])), ["up"]);
        run
    }

    fn receive(&mut self, frame: &Value) -> Vec<String> {
        self.text(&frame.to_string())
    }

    fn text(&mut self, frame: &str) -> Vec<String> {
        let mut out = vec![];
        self.session.receive(frame, self.now, Timestamp::UNIX_EPOCH, &mut out);
        told(&out)
    }

    /// Lets time pass as a caller would: it sleeps until it is woken.
    fn pass(&mut self, time: Duration) -> Vec<String> {
        let (end, mut out) = (self.now + time, vec![]);
        while let Some(next) = self.session.wakeup().filter(|next| *next <= end) {
            assert!(next >= self.now, "what is due was done");
            self.now = next;
            self.session.tick(self.now, &mut out);
        }
        self.now = end;
        told(&out)
    }

    /// Time in which the server isn't silent.
    fn pass_lively(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut all = vec![];
        while self.now < end {
            all.extend(self.pass((end - self.now).min(Duration::from_secs(5))));
            all.extend(self.text(r#"{"Type":"Pong"}"#));
        }
        all
    }
}

fn told(out: &[Output]) -> Vec<String> {
    let text = |output: &Output| match output {
        Output::Send(frame) => format!("send {frame}"),
        Output::Item(item) => format!("item {}", item.id),
        Output::Scores(scores) => format!("scores {}", scores.story),
        Output::Up => "up".into(),
        Output::Down(why) => format!("down {why}"),
        Output::Suspect(suspect) => format!("suspect {suspect}"),
        Output::Fragment => "fragment".into(),
        Output::Gap(why) => format!("gap {why}"),
        Output::Incomplete(why) => format!("incomplete {why}"),
        Output::Unreadable(why) => format!("unreadable {why}"),
        Output::Refused(why) => format!("refused {why}"),
        Output::End(end) => format!("end {:?} {}", end.again, end.why),
    };
    out.iter().map(text).collect()
}

#[test]
fn session_logs_in_asks_and_hands_out_items() {
    let mut run = Run::new(&[Ric::Story]);
    let login_frame = r#"{"ID":1,"Domain":"Login","Key":{"NameType":"AuthnToken","Elements":{"ApplicationId":"256","Position":"10.0.0.5/host","AuthenticationToken":"HEAD.PAYLOAD.SIGNATURE"}}}"#;
    assert_eq!(told(&run.first), [format!("send {login_frame}")]);
    assert_eq!(run.receive(&login(&good())), [format!("send {REQUEST}")], "a single object is a frame as well");
    assert_eq!(run.receive(&json!([refresh(2, &good())])), ["up"]);
    let items = [updates(2, "a", &story("a"), 9999), updates(2, "b", &story("b"), 9999)].concat();
    assert_eq!(run.receive(&json!(items)), ["fragment", "item a", "fragment", "item b"]);
}

#[test]
fn story_becomes_the_item_that_the_table_says() {
    let mut run = Run::up();
    let mut out = vec![];
    let frame = json!(updates(2, "a", &story("a"), 9999)).to_string();
    let wall = "2026-01-02T03:04:06Z".parse().unwrap();
    run.session.receive(&frame, run.now, wall, &mut out);
    let [Output::Fragment, Output::Item(item)] = &out[..] else { panic!("{out:?}") };
    let expected = json!({
        "version": 1, "id": "a", "thread": "nABC@1767323045000", "source": "wire", "provider": "RTRS", "language": "en",
        "kind": Kind::Article, "status": Status::Usable, "urgency": 3, "take": 1, "headline": "Example plc opens plant a",
        "body": "The plant is in Exampletown.", "subjects": ["R:EXA.L", "N2:GB"],
        "published": "2026-01-02T03:04:05.678Z", "first_published": "2026-01-02T03:04:05Z",
        "received": "2026-01-02T03:04:06Z",
    });
    assert_eq!(serde_json::to_value(item).unwrap(), expected);
}

#[test]
fn nothing_is_asked_for_before_the_login_is_open_and_good() {
    let waiting = [state("Open", "Suspect", "None"), state("Open", "NoChange", "None")];
    for answer in waiting {
        let mut run = Run::new(&[Ric::Story]);
        let told = run.receive(&json!([login(&answer)]));
        assert!(told.iter().all(|told| told == "suspect true"), "{told:?}");
        let good = status(1, &good());
        assert!(run.receive(&json!([good])).contains(&format!("send {REQUEST}")));
    }
    let mut run = Run::new(&[Ric::Story]);
    assert_eq!(run.receive(&json!([status(1, &good())])), [""; 0], "the answer itself has to come first");
}

#[test]
fn login_that_is_closed_is_the_end_and_its_code_says_when_to_come_again() {
    let late = [
        "NotEntitled",
        "AppAuthorizationFailed",
        "UserUnknownToPermSys",
        "UserAccessToAppDenied",
        "MaxLoginsReached",
        "ExceededMaxMountsPerUser",
        "UsageError",
    ];
    let soon = ["Timeout", "NoResources", "DacsDown", "Error", "None", "Preempted", "SomethingNew"];
    for stream in ["Closed", "ClosedRecover"] {
        for (codes, again) in [(&late[..], Again::Late), (&soon[..], Again::Soon)] {
            for code in codes {
                let mut run = Run::new(&[Ric::Story]);
                let told = run.receive(&json!([login(&state(stream, "Suspect", code))]));
                let known = if *code == "SomethingNew" { "Unknown" } else { code };
                assert_eq!(told, [format!("end {again:?} login: {stream}, Suspect, {known}: as it is")]);
                assert_eq!(run.session.wakeup(), None);
                assert_eq!(run.receive(&json!([login(&good())])), [""; 0], "nothing follows");
            }
        }
    }
    let mut run = Run::up();
    let told = run.receive(&json!([{"ID": 1, "Type": "Status", "State": {"Stream": 4, "Data": 2, "Code": 29}}]));
    assert_eq!(told, ["end Soon login: Closed, Suspect, DacsDown"], "numbers are as good as names, at any time");
}

#[test]
fn login_without_an_answer_is_given_up_after_45_seconds() {
    let mut run = Run::new(&[Ric::Story]);
    assert!(run.pass_lively(Duration::from_millis(44_999)).iter().all(|told| told.starts_with("send")));
    assert_eq!(run.pass(Duration::from_millis(1)), ["end Soon no good answer to the login within 45 seconds"]);
}

#[test]
fn pings_are_answered_at_once_even_before_the_login() {
    let mut run = Run::new(&[Ric::Story]);
    assert_eq!(run.receive(&json!([{"Type": "Ping"}])), [r#"send {"Type":"Pong"}"#]);
    assert_eq!(run.receive(&json!({"Type": "Ping"})), [r#"send {"Type":"Pong"}"#]);
    assert_eq!(run.receive(&json!([{"Type": "Pong"}])), [""; 0]);
}

#[test]
fn silence_is_asked_about_after_a_third_of_the_time_out_and_is_the_end_after_all_of_it() {
    let ping = format!("send {PING}");
    for (timeout, third) in [(30, 10), (60, 20), (9, 3)] {
        let mut run = Run::new(&[Ric::Story]);
        let mut answer = login(&good());
        answer["Elements"]["PingTimeout"] = timeout.into();
        run.receive(&json!([answer]));
        run.receive(&json!([refresh(2, &good())]));
        assert_eq!(run.pass(Duration::from_millis(third * 1000 - 1)), [""; 0]);
        assert_eq!(run.pass(Duration::from_millis(1)), [ping.as_str()]);
        run.receive(&json!([{"Type": "Pong"}]));
        assert_eq!(run.pass(Duration::from_millis(timeout * 1000 - 1)), [ping.as_str(), ping.as_str()]);
        assert_eq!(
            run.pass(Duration::from_millis(1)),
            [format!("end Soon the server was silent for {timeout} seconds")]
        );
    }
}

#[test]
fn thirty_seconds_of_silence_are_borne_until_the_server_says() {
    let mut run = Run::new(&[Ric::Story]);
    let ping = format!("send {PING}");
    assert_eq!(
        run.pass(Duration::from_secs(44)),
        [ping.as_str(), ping.as_str(), "end Soon the server was silent for 30 seconds"]
    );
}

#[test]
fn absurd_ping_time_outs_do_no_harm() {
    for timeout in [json!(0), json!(u64::MAX), json!(-3), json!("soon"), json!(null)] {
        let mut run = Run::new(&[Ric::Story]);
        let mut answer = login(&good());
        answer["Elements"]["PingTimeout"] = timeout;
        run.receive(&json!([answer]));
        run.receive(&json!([refresh(2, &good())]));
        assert!(run.session.wakeup().unwrap() > run.now);
    }
}

#[test]
fn several_rics_are_asked_for_at_once_and_the_end_of_the_request_is_its_success() {
    let mut run = Run::new(&[Ric::Story, Ric::Scores]);
    let told = run.receive(&json!([login(&good())]));
    assert_eq!(told, [r#"send {"ID":2,"Domain":"NewsTextAnalytics","Key":{"Name":["MRN_STORY","MRN_TRNA"]}}"#]);
    assert_eq!(run.receive(&json!([status(2, &state("Closed", "Ok", "None"))])), [""; 0]);
    assert_eq!(run.receive(&json!([refresh(4, &good())])), [""; 0], "the stories are what matters");
    assert_eq!(run.receive(&json!([refresh(3, &good())])), ["up"]);
    let scores = json!({"id": "tr:a", "newsItem": {"sourceId": "a"}});
    let both = [updates(3, "a", &story("a"), 9999), updates(4, "tr:a", &scores, 9999)].concat();
    assert_eq!(run.receive(&json!(both)), ["fragment", "item a", "fragment", "scores a"]);
}

#[test]
fn rics_are_asked_for_one_by_one_where_the_server_takes_no_batches() {
    let one_by_one = |first: u8| {
        let request = |id: u8, name: &str| {
            format!(r#"send {{"ID":{id},"Domain":"NewsTextAnalytics","Key":{{"Name":"{name}"}}}}"#)
        };
        [request(first, "MRN_STORY"), request(first + 1, "MRN_TRNA")]
    };
    let mut run = Run::new(&[Ric::Story, Ric::Scores]);
    let mut answer = login(&good());
    answer["Key"]["Elements"]["SupportBatchRequests"] = 0.into();
    assert_eq!(run.receive(&json!([answer])), one_by_one(2));

    for code in ["UnableToRequestAsBatch", "NoBatchViewSupportInReq"] {
        let mut run = Run::new(&[Ric::Story, Ric::Scores]);
        run.receive(&json!([login(&good())]));
        assert_eq!(run.receive(&json!([status(2, &state("Closed", "Suspect", code))])), one_by_one(5));
    }
}

#[test]
fn stream_that_ends_is_asked_for_again_on_the_same_connection() {
    let cases = [
        state("ClosedRecover", "Suspect", "None"),
        state("ClosedRecover", "Suspect", "SourceUnknown"),
        state("Closed", "Suspect", "Timeout"),
        state("Closed", "Suspect", "SomethingNew"),
        state("NonStreaming", "Ok", "None"),
    ];
    for ended in cases {
        let mut run = Run::up();
        let told = run.receive(&json!([status(2, &ended)]));
        assert!(told.len() == 1 && told[0].starts_with("down MRN_STORY: "), "{told:?}");
        let late = run.receive(&json!(updates(2, "a", &story("a"), 9999)));
        assert_eq!(late, [""; 0], "what was under way on the old stream is of no use");
        assert_eq!(run.pass(Duration::from_secs(1)), [format!("send {}", REQUEST.replace('2', "3"))]);
        assert_eq!(run.receive(&json!([refresh(3, &good())])), ["up"]);
        assert_eq!(run.receive(&json!(updates(3, "a", &story("a"), 9999))), ["fragment", "item a"]);
    }
}

#[test]
fn pauses_grow_to_a_minute_and_begin_anew_after_a_minute_of_health() {
    let mut run = Run::up();
    let mut id = 2;
    let mut pauses = vec![];
    let mut fail = |run: &mut Run| {
        run.receive(&json!([status(id, &state("ClosedRecover", "Suspect", "None"))]));
        id += 1;
        let begin = run.now;
        while !run.pass_lively(Duration::from_millis(100)).iter().any(|told| told.contains("MRN_STORY")) {}
        run.receive(&json!([refresh(id, &good())]));
        run.now - begin
    };
    for _ in 0..12 {
        pauses.push(fail(&mut run));
    }
    for (attempt, pause) in pauses.iter().enumerate() {
        let longest = Duration::from_secs(1 << attempt.min(6)).min(Duration::from_mins(1));
        assert!(*pause <= longest + Duration::from_millis(100), "{attempt}: {pause:?}");
    }
    assert!(pauses.iter().max() > Some(&Duration::from_secs(20)), "{pauses:?}");
    run.pass_lively(Duration::from_secs(61));
    assert!(fail(&mut run) <= Duration::from_millis(1100));
}

#[test]
fn request_without_an_answer_is_taken_back_and_sent_again() {
    let mut run = Run::new(&[Ric::Story]);
    run.receive(&json!([login(&good())]));
    let told = run.pass_lively(Duration::from_secs(15));
    let told: Vec<_> = told.iter().filter(|told| !told.contains("Ping")).collect();
    assert_eq!(told, [r#"send {"ID":2,"Type":"Close"}"#, "down MRN_STORY: no answer within 15 seconds"]);
    assert_eq!(run.pass_lively(Duration::from_secs(1)), [format!("send {}", REQUEST.replace('2', "3"))]);
    assert_eq!(run.receive(&json!([refresh(2, &good())])), [""; 0], "too late");
    assert_eq!(run.receive(&json!([refresh(3, &good())])), ["up"]);
}

#[test]
fn redirected_stream_is_asked_for_by_its_new_name() {
    let mut run = Run::up();
    let mut message = status(2, &state("Redirected", "Ok", "None"));
    message["Key"] = json!({"Name": "MRN_STORY_2", "Service": "OTHER"});
    run.receive(&json!([message]));
    assert_eq!(
        run.pass(Duration::from_secs(1)),
        [r#"send {"ID":3,"Domain":"NewsTextAnalytics","Key":{"Name":"MRN_STORY_2","Service":"OTHER"}}"#]
    );
}

#[test]
fn refused_stories_are_the_end_and_refused_scores_are_not() {
    let refusal = state("Closed", "Suspect", "NotEntitled");
    let mut run = Run::new(&[Ric::Story]);
    run.receive(&json!([login(&good())]));
    let told = run.receive(&json!([status(2, &refusal)]));
    assert_eq!(told, ["end Late MRN_STORY: Closed, Suspect, NotEntitled: as it is"]);

    let mut run = Run::new(&[Ric::Story, Ric::Scores]);
    run.receive(&json!([login(&good())]));
    assert_eq!(run.receive(&json!([refresh(3, &good())])), ["up"]);
    let told = run.receive(&json!([status(4, &refusal)]));
    assert_eq!(told, ["refused MRN_TRNA: Closed, Suspect, NotEntitled: as it is"]);
    let told = run.pass_lively(Duration::from_secs(15 * 60 - 1));
    assert!(told.iter().all(|told| told.contains("Ping")), "{told:?}");
    assert_eq!(
        run.pass_lively(Duration::from_secs(1)),
        [r#"send {"ID":5,"Domain":"NewsTextAnalytics","Key":{"Name":"MRN_TRNA"}}"#]
    );
    let told = run.receive(&json!([status(3, &refusal)]));
    assert_eq!(told, ["end Late MRN_STORY: Closed, Suspect, NotEntitled: as it is"]);
}

#[test]
fn doubt_is_told_when_it_begins_and_when_it_ends() {
    let mut run = Run::up();
    let doubt = state("Open", "Suspect", "None");
    assert_eq!(run.receive(&json!([status(2, &doubt)])), ["suspect true"]);
    assert_eq!(run.receive(&json!([status(2, &doubt), status(1, &doubt)])), [""; 0]);
    assert_eq!(run.receive(&json!([status(2, &state("Open", "NoChange", "None"))])), [""; 0]);
    assert_eq!(run.receive(&json!([status(2, &good())])), [""; 0], "the login is still in doubt");
    assert_eq!(run.receive(&json!(updates(2, "a", &story("a"), 9999))), ["fragment", "item a"]);
    assert_eq!(run.receive(&json!([status(1, &good())])), ["suspect false"]);
}

#[test]
fn gap_that_the_feed_reports_is_told() {
    let mut run = Run::up();
    for id in [1, 2] {
        let told = run.receive(&json!([status(id, &state("Open", "NoChange", "GapDetected"))]));
        assert!(told.len() == 1 && told[0].starts_with("gap "), "{told:?}");
    }
}

#[test]
fn status_without_a_state_changes_nothing() {
    let mut run = Run::up();
    assert_eq!(run.receive(&json!([{"ID": 2, "Type": "Status"}, {"ID": 1, "Type": "Status", "State": null}])), [""; 0]);
}

#[test]
fn errors_are_told_without_the_token_whatever_they_quote() {
    let mut run = Run::up();
    let error = json!([{
        "Type": "Error", "ID": 0, "Text": format!("JSON Parser Error: bad token {TOKEN}"),
        "Debug": {"File": "f.C", "Line": 1, "Offset": 2, "Message": format!("{{\"AuthenticationToken\":\"{TOKEN}\"}}")},
    }]);
    let told = run.receive(&error);
    assert_eq!(told, ["refused the server reports an error: JSON Parser Error: bad token ***"]);
    let mut out = vec![];
    run.session.renew("NEW.TOKEN".into(), &mut out);
    assert!(!format!("{out:?}").contains("NEW.TOKEN"));
    let text = json!({"Stream": "Closed", "Data": "Suspect", "Text": format!("{TOKEN} was followed by NEW.TOKEN")});
    let told = run.receive(&json!([status(1, &text)]));
    assert_eq!(told, ["end Soon login: Closed, Suspect, None: *** was followed by ***"]);
    assert!(!format!("{:?}", options(&[])).contains(TOKEN));
}

#[test]
fn error_in_answer_to_a_request_is_its_end() {
    let mut run = Run::new(&[Ric::Story]);
    let told = run.receive(&json!([{"Type": "Error", "ID": 1, "Text": "no"}]));
    assert_eq!(told, ["end Soon the server reports an error: no"]);
    let mut run = Run::new(&[Ric::Story]);
    run.receive(&json!([login(&good())]));
    let told = run.receive(&json!([{"Type": "Error", "ID": 2, "Text": "no"}]));
    assert_eq!(told, ["down the server reports an error: no", "refused the server reports an error: no"]);
    assert_eq!(run.pass(Duration::from_secs(1)), [format!("send {}", REQUEST.replace('2', "3"))]);
}

#[test]
fn new_token_goes_out_without_a_wish_for_an_answer() {
    let mut run = Run::up();
    let mut out = vec![];
    run.session.renew("NEW.TOKEN".into(), &mut out);
    assert_eq!(
        told(&out),
        [
            r#"send {"ID":1,"Domain":"Login","Refresh":false,"Key":{"NameType":"AuthnToken","Elements":{"ApplicationId":"256","Position":"10.0.0.5/host","AuthenticationToken":"NEW.TOKEN"}}}"#
        ]
    );
}

#[test]
fn nothing_longer_than_the_server_takes_is_sent() {
    let mut run = Run::new(&[Ric::Story]);
    let mut answer = login(&good());
    answer["Elements"]["MaxMsgSize"] = 70.into();
    assert_eq!(run.receive(&json!([answer])), [format!("send {REQUEST}")]);
    let mut out = vec![];
    run.session.renew("NEW.TOKEN".into(), &mut out);
    run.session.renew("NEW.TOKEN".into(), &mut out);
    assert_eq!(told(&out), ["end Late a message of 169 bytes can't be sent: the server takes 70"]);
}

#[test]
fn goodbye_ends_the_items_and_then_the_login() {
    let mut run = Run::new(&[Ric::Story, Ric::Scores]);
    run.receive(&json!([login(&good())]));
    run.receive(&json!([refresh(3, &good()), status(4, &state("ClosedRecover", "Suspect", "None"))]));
    let mut out = vec![];
    run.session.close(&mut out);
    run.session.close(&mut out);
    assert_eq!(
        told(&out),
        [r#"send {"ID":3,"Type":"Close"}"#, r#"send {"ID":1,"Domain":"Login","Type":"Close"}"#],
        "a stream that has ended needs no end"
    );
    assert_eq!(run.receive(&json!([{"Type": "Ping"}])), [""; 0]);
    assert_eq!(run.session.wakeup(), None);
}

#[test]
fn item_that_was_under_way_at_the_goodbye_is_taken() {
    let mut run = Run::up();
    run.session.close(&mut vec![]);
    let late = [updates(2, "a", &story("a"), 9999), vec![status(2, &state("Closed", "Ok", "None"))]].concat();
    assert_eq!(run.receive(&json!(late)), ["fragment", "item a"], "the end that was asked for is no news");
    assert_eq!(run.session.wakeup(), None);
}

#[test]
fn updates_of_several_streams_and_of_none_are_understood() {
    let mut run = Run::up();
    let mut message = updates(2, "a", &story("a"), 9999).remove(0);
    message["ID"] = json!([7, 2]);
    assert_eq!(run.receive(&json!([message])), ["fragment", "item a"]);
    message["ID"] = json!(7);
    assert_eq!(run.receive(&json!([message])), [""; 0]);
    message["ID"] = json!(2);
    message["Type"] = json!(4);
    message["Domain"] = json!(33);
    assert_eq!(run.receive(&json!([message])), ["fragment", "item a"], "numbers are as good as names");
}

#[test]
fn refused_message_leaves_its_neighbours_as_they_are() {
    let mut run = Run::up();
    let good = updates(2, "a", &story("a"), 9999).remove(0);
    let frame = format!(r#"[{{"ID":"two","Type":"Update"}},{good},7]"#);
    let told = run.text(&frame);
    assert_eq!(told[1..3], ["fragment", "item a"]);
    assert!(told[0].starts_with("refused a member is missing or of another type"), "{told:?}");
    for frame in ["", "no JSON", "[", "[{}", "null", "7", "[[]]", "\"{}\""] {
        let told = run.text(frame);
        assert!(told.iter().all(|told| told.starts_with("refused")), "{frame}: {told:?}");
    }
}

#[test]
fn items_that_cannot_be_read_are_told_without_their_content() {
    let mut run = Run::up();
    let mut story = story("a");
    story.as_object_mut().unwrap().remove("versionCreated");
    let told = run.receive(&json!(updates(2, "a", &story, 9999)));
    assert_eq!(told, ["fragment", "unreadable MRN_STORY item is no story: versionCreated is missing"]);
    let told = run.receive(&json!([update(2, "a", 1, 6, b"secret")]));
    assert_eq!(told, ["fragment", "unreadable MRN_STORY item is no gzip"]);
    let mut garbled = update(2, "a", 1, 6, b"secret");
    garbled["Fields"]["FRAGMENT"] = json!("c2Vj!mV0");
    assert_eq!(run.receive(&json!([garbled])), ["fragment", "unreadable MRN_STORY item is no base64"]);
    garbled["Fields"]["TOT_SIZE"] = json!(20);
    let told = run.receive(&json!([garbled]));
    assert_eq!(told, ["fragment", "refused MRN_STORY: FRAGMENT is no base64"], "others of its parts come");
    let mut empty = update(2, "a", 1, 6, b"secret");
    empty["Fields"]["FRAGMENT"] = json!(null);
    assert_eq!(run.receive(&json!([empty])), ["refused MRN_STORY: an update without a FRAGMENT"]);
}

#[test]
fn item_that_stays_incomplete_is_told_after_a_minute() {
    let mut run = Run::up();
    let mut parts = updates(2, "a", &story("a"), 100);
    parts.pop();
    let told = run.receive(&json!(parts));
    assert!(told.iter().all(|told| told == "fragment"));
    let told = run.pass_lively(Duration::from_mins(1));
    let told: Vec<_> = told.into_iter().filter(|told| !told.contains("Ping")).collect();
    assert!(told.len() == 1 && told[0].starts_with("incomplete MRN_STORY item \"a\""), "{told:?}");
}

#[test]
fn item_that_a_disconnect_cuts_in_half_is_told_once() {
    let mut run = Run::up();
    let mut parts = updates(2, "a", &story("a"), 100);
    parts.pop();
    run.receive(&json!(parts));
    run.receive(&json!(updates(2, "b", &story("b"), 100)));
    run.receive(&json!([status(1, &state("Closed", "Suspect", "None"))]));
    let mut out = vec![];
    run.session.abandon(&mut out);
    run.session.abandon(&mut out);
    let lost = "incomplete MRN_STORY item \"a\" is incomplete: the connection ended before the rest came";
    assert_eq!(told(&out), [lost], "the whole one isn't lost");
}

#[test]
fn trouble_with_the_scores_is_none_of_the_stories() {
    let mut run = Run::new(&[Ric::Story, Ric::Scores]);
    run.receive(&json!([login(&good())]));
    assert_eq!(run.receive(&json!([refresh(3, &good())])), ["up"]);
    run.receive(&json!([refresh(4, &good())]));
    let told = run.receive(&json!([status(4, &state("ClosedRecover", "Suspect", "None"))]));
    assert_eq!(told, ["refused MRN_TRNA: ClosedRecover, Suspect, None: as it is"]);
    let again = run.pass_lively(Duration::from_secs(1));
    assert_eq!(again, [r#"send {"ID":5,"Domain":"NewsTextAnalytics","Key":{"Name":"MRN_TRNA"}}"#]);
}

#[test]
fn stories_that_end_five_times_are_sought_on_another_connection() {
    let fail = |run: &mut Run, id: i64, stream: &str| {
        let told = run.receive(&json!([status(id, &state(stream, "Suspect", "Timeout"))]));
        while told.iter().all(|told| told.starts_with("down")) {
            if run.pass_lively(Duration::from_millis(100)).iter().any(|told| told.contains("MRN_STORY")) {
                run.receive(&json!([refresh(id + 1, &good())]));
                break;
            }
        }
        told
    };
    let mut run = Run::up();
    for id in 2..6 {
        assert!(fail(&mut run, id, "Closed").iter().all(|told| told.starts_with("down")), "{id}");
    }
    assert_eq!(fail(&mut run, 6, "Closed"), ["end Soon MRN_STORY: Closed, Suspect, Timeout: as it is"]);

    let mut run = Run::up();
    for id in 2..20 {
        assert!(fail(&mut run, id, "ClosedRecover").iter().all(|told| told.starts_with("down")), "{id}");
    }

    let mut run = Run::new(&[Ric::Story]);
    run.receive(&json!([login(&good())]));
    let told = run.pass_lively(Duration::from_mins(5));
    assert_eq!(told.last().unwrap(), "end Soon MRN_STORY: no answer within 15 seconds");
}
