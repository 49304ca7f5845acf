//! What a client sees that keeps to the rules.

mod support;

use serde_json::json;
use simulator::{Cut, End, Fate, Heard, Options, Simulator, State, Story};
use support::{Anything, Client, connect, fragment, short, user};

#[tokio::test]
async fn item_comes_back_as_it_was_sent() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    let story = Story::article("Example plc opens a site \u{1F680}", "Line one.\r\nLine \"two\".").take(2);
    simulator.send([&story]).await;
    assert_eq!(client.item().await, serde_json::to_value(&story)?);
    simulator.settle_with(&mut client).await;
    let journal = simulator.journal();
    assert_eq!(journal.entries.len(), 1);
    assert_eq!(journal.entries[0].fate, Fate::Confirmed);
    assert_eq!(journal.delivered()[0].headline, story.headline);
    Ok(())
}

#[tokio::test]
async fn first_fragments_are_2600_bytes_padded_and_have_10_fields_and_the_others_4() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    let mut random = fastrand::Rng::with_seed(1);
    let body: String = std::iter::repeat_with(|| random.alphanumeric()).take(9000).collect();
    simulator.send([Story::article("A long text", body)]).await;
    let updates = client.updates(3).await;
    let sizes: Vec<_> = updates.iter().map(|update| fragment(update).len()).collect();
    assert_eq!(sizes[..2], [2600, 2600]);
    let fields: Vec<_> = updates.iter().map(|update| update["Fields"].as_object().unwrap().len()).collect();
    assert_eq!(fields, [10, 4, 4]);
    assert!(updates[0]["Fields"]["FRAGMENT"].as_str().unwrap().ends_with('='));
    let numbers: Vec<_> = updates.iter().map(|update| update["Fields"]["FRAG_NUM"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let sequence: Vec<_> = updates.iter().map(|update| update["SeqNumber"].as_u64().unwrap()).collect();
    assert_eq!([sequence[1] - sequence[0], sequence[2] - sequence[1]], [16, 16]);
    assert_eq!(updates[0]["Key"], json!({"Name": "MRN_STORY", "Service": "ELEKTRON_DD"}));
    assert!(client.frames.iter().all(|frame| frame.starts_with('[')), "every frame is an array");
    Ok(())
}

#[tokio::test]
async fn upgrade_needs_the_subprotocol_and_the_path() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let url = &simulator.websocket_urls()[0];
    let client = connect(url, Some("other, tr_json2")).await?;
    assert_eq!(client.upgraded.headers()["Sec-WebSocket-Protocol"], "tr_json2");
    for (url, subprotocol, expected) in [
        (url.clone(), None, 400),
        (url.clone(), Some("other"), 400),
        (url.replace("/WebSocket", "/"), Some("tr_json2"), 404),
    ] {
        let Err(error) = connect(&url, subprotocol).await else { panic!("{url} should be refused") };
        let tokio_tungstenite::tungstenite::Error::Http(response) = *error else { panic!("{error}") };
        assert_eq!(response.status(), expected);
    }
    Ok(())
}

#[tokio::test]
async fn login_is_answered_with_limits_and_a_user_that_is_unknown_is_refused() -> Anything {
    let mut options = Options { max_message: 5000, ..Options::manual() };
    options.accounts.users = vec!["user".into()];
    let simulator = Simulator::start(options).await?;
    let mut client = Client::new(&simulator).await;
    client.say(user()).await;
    let refresh = client.message().await.unwrap();
    assert_eq!(refresh["Type"], "Refresh");
    assert_eq!(refresh["State"]["Data"], "Ok");
    assert_eq!(refresh["Elements"], json!({"MaxMsgSize": 5000, "PingTimeout": 30}));

    let mut stranger = Client::new(&simulator).await;
    let mut login = user();
    login["Key"]["Name"] = "stranger".into();
    stranger.say(login).await;
    let messages = stranger.until_the_end().await;
    assert_eq!(messages[0]["State"]["Stream"], "Closed");
    assert_eq!(messages[0]["State"]["Code"], "UserUnknownToPermSys");
    simulator.until(|journal| journal.connections[1].end == Some(End::LoggedOut)).await?;
    Ok(())
}

#[tokio::test]
async fn refresh_of_an_item_has_16_fields_and_no_news() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::logged_in(&simulator).await;
    client.say(json!({"ID": 7, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_TRNA"}})).await;
    let refresh = client.message().await.unwrap();
    assert_eq!(refresh["ID"], 7);
    assert_eq!(refresh["Fields"].as_object().unwrap().len(), 16);
    assert_eq!(refresh["Fields"]["PROD_PERM"], 10002);
    assert_eq!(refresh["Fields"]["CONTEXT_ID"], 3929);
    assert_eq!(refresh["Fields"]["FRAGMENT"], serde_json::Value::Null);
    Ok(())
}

#[tokio::test]
async fn batch_is_answered_on_its_own_id_and_items_on_the_next() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::logged_in(&simulator).await;
    let names = json!(["MRN_STORY", "MRN_TRNA", "MRN_HDLN"]);
    client.say(json!([{"ID": 5, "Domain": "NewsTextAnalytics", "Key": {"Name": names}}])).await;
    let status = client.message().await.unwrap();
    assert_eq!((&status["ID"], &status["Type"]), (&json!(5), &json!("Status")));
    assert_eq!((&status["State"]["Stream"], &status["State"]["Data"]), (&json!("Closed"), &json!("Ok")));
    for (id, name) in [(6, "MRN_STORY"), (7, "MRN_TRNA")] {
        let refresh = client.message().await.unwrap();
        assert_eq!((&refresh["ID"], &refresh["Key"]["Name"]), (&json!(id), &json!(name)));
    }
    let unknown = client.message().await.unwrap();
    assert_eq!((&unknown["ID"], &unknown["State"]["Code"]), (&json!(8), &json!("NotFound")));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_had_is_said_with_the_right_code() -> Anything {
    let simulator = Simulator::start(Options { scores: false, ..Options::manual() }).await?;
    let mut client = Client::new(&simulator).await;
    let story = json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY"}});
    client.say(story.clone()).await;
    assert_eq!(client.message().await.unwrap()["State"]["Code"], "UsageError", "nobody is logged in");
    client.say(user()).await;
    client.message().await.unwrap();
    let cases = [
        (json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_TRNA"}}), "Closed", "NotEntitled"),
        (json!({"ID": 2, "Key": {"Name": "MRN_STORY"}}), "Closed", "NotFound"),
        (
            json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY", "Service": "OTHER"}}),
            "ClosedRecover",
            "SourceUnknown",
        ),
    ];
    for (request, stream, code) in cases {
        client.say(request).await;
        let status = client.message().await.unwrap();
        assert_eq!((&status["State"]["Stream"], &status["State"]["Code"]), (&json!(stream), &json!(code)));
    }
    Ok(())
}

#[tokio::test]
async fn pings_are_answered() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::new(&simulator).await;
    client.say(json!({"Type": "Ping"})).await;
    assert_eq!(client.message().await.unwrap(), json!({"Type": "Pong"}));
    assert_eq!(simulator.connections()[0].pings_received, 1);
    Ok(())
}

#[tokio::test]
async fn silent_client_is_pinged_and_dropped_when_it_does_not_answer() -> Anything {
    let options = Options { ping_after: short(1), ping_timeout: short(2), ..Options::manual() };
    let simulator = Simulator::start(options).await?;
    let mut honest = Client::ready(&simulator).await;
    let reading = tokio::spawn(async move { honest.message().await });
    simulator.until(|journal| journal.connections[0].pings_answered >= 5).await?;
    let mut mute = Client::ready(&simulator).await;
    mute.answers_pings = false;
    assert_eq!(mute.message().await, None);
    simulator.until(|journal| journal.connections[1].end == Some(End::Silent)).await?;
    assert!(simulator.connections()[0].is_up());
    reading.abort();
    Ok(())
}

#[tokio::test]
async fn too_long_message_is_refused_and_the_client_dropped() -> Anything {
    let simulator = Simulator::start(Options { max_message: 1000, ..Options::manual() }).await?;
    let mut client = Client::ready(&simulator).await;
    client.say(json!({"Type": "Ping", "Padding": "x".repeat(1000)})).await;
    let messages = client.until_the_end().await;
    assert_eq!(messages[0]["Type"], "Error");
    simulator.until(|journal| journal.connections[0].end == Some(End::Refused)).await?;
    Ok(())
}

#[tokio::test]
async fn nonsense_is_quoted_in_an_error_and_the_connection_stays() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    client.say(json!({"ID": 9, "Type": "Dance"})).await;
    let error = client.message().await.unwrap();
    assert_eq!((&error["Type"], &error["ID"]), (&json!("Error"), &json!(9)));
    assert!(error["Debug"]["Message"].as_str().unwrap().contains("Dance"));
    simulator.send([Story::alert("Still here")]).await;
    assert_eq!(client.item().await["headline"], "Still here");
    Ok(())
}

#[tokio::test]
async fn orderly_goodbye_is_noted_in_its_order() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    client.say(json!({"ID": 2, "Type": "Close"})).await;
    client.say(json!({"ID": 1, "Domain": "Login", "Type": "Close"})).await;
    client.socket.close(None).await?;
    client.until_the_end().await;
    simulator.until(|journal| journal.connections[0].end.is_some()).await?;
    let connection = simulator.connections().remove(0);
    assert_eq!(connection.end, Some(End::ByClient));
    let story = Heard::Request("MRN_STORY".into());
    assert_eq!(connection.heard, [story, Heard::CloseItem(2), Heard::CloseLogin, Heard::CloseSocket]);
    Ok(())
}

#[tokio::test]
async fn closed_stream_gets_nothing_more() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    client.say(json!({"ID": 2, "Type": "Close"})).await;
    simulator.until(|journal| journal.subscribed() == 0).await?;
    simulator.send([Story::alert("Missed")]).await;
    simulator.until(|journal| journal.counts.missed == 1).await?;
    assert!(simulator.journal().delivered().is_empty());
    Ok(())
}

#[tokio::test]
async fn states_are_said_on_request() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    simulator.say(State::open("Suspect").code("GapDetected").text("a line is down"));
    let status = client.message().await.unwrap();
    assert_eq!(status["ID"], 2);
    assert_eq!(
        status["State"],
        json!({"Stream": "Open", "Data": "Suspect", "Code": "GapDetected", "Text": "a line is down"})
    );
    simulator.say(State::closed_recover().code("NoResources"));
    assert_eq!(client.message().await.unwrap()["State"]["Stream"], "ClosedRecover");
    simulator.until(|journal| journal.subscribed() == 0).await?;
    simulator.say_of_login(State::closed("DacsDown"));
    let messages = client.until_the_end().await;
    assert_eq!(messages[0]["Domain"], "Login");
    simulator.until(|journal| journal.connections[0].end == Some(End::LoggedOut)).await?;
    Ok(())
}

#[tokio::test]
async fn items_on_the_way_when_a_connection_is_reset_are_lost_in_the_journal() -> Anything {
    let simulator = Simulator::start(Options { ping_timeout: short(3), ..Options::manual() }).await?;
    let mut client = Client::ready(&simulator).await;
    simulator.send([Story::alert("Read")]).await;
    client.item().await;
    simulator.settle_with(&mut client).await;
    // Nobody reads any more, so nobody answers the ping before the reset.
    simulator.send([Story::alert("On its way")]).await;
    simulator.until(|journal| journal.counts.sent == 2).await?;
    simulator.cut(Cut::Reset).await?;
    let journal = simulator.journal();
    let fates: Vec<_> = journal.entries.iter().map(|entry| entry.fate).collect();
    assert_eq!(fates, [Fate::Confirmed, Fate::Lost]);
    assert_eq!(journal.delivered().len(), 1);
    assert_eq!(journal.connections[0].end, Some(End::Reset));
    Ok(())
}

#[tokio::test]
async fn clean_close_that_is_answered_confirms_everything() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    simulator.send([Story::alert("Read")]).await;
    let (cut, messages) = tokio::join!(simulator.cut(Cut::Close), client.until_the_end());
    cut?;
    assert_eq!(messages.len(), 1);
    assert_eq!(simulator.journal().confirmed().len(), 1);
    Ok(())
}

#[tokio::test]
async fn every_connection_gets_every_item_of_the_feed() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut clients = [Client::ready(&simulator).await, Client::ready(&simulator).await];
    simulator.send([Story::alert("Twice")]).await;
    for client in &mut clients {
        assert_eq!(client.item().await["headline"], "Twice");
    }
    simulator.until(|journal| journal.counts.sent == 2).await?;
    let journal = simulator.journal();
    assert_eq!((journal.entries.len(), journal.delivered().len()), (2, 1));
    Ok(())
}

#[tokio::test]
async fn dropping_it_frees_its_ports_and_ends_its_connections() -> Anything {
    let simulator = Simulator::start(Options::manual()).await?;
    let mut client = Client::ready(&simulator).await;
    let url = simulator.websocket_urls().remove(0);
    drop(simulator);
    assert_eq!(client.message().await, None);
    assert!(connect(&url, Some("tr_json2")).await.is_err());
    Ok(())
}

trait Settling {
    async fn settle_with(&self, client: &mut Client);
}

impl Settling for Simulator {
    /// Lets the client answer a ping, which confirms what it has read.
    async fn settle_with(&self, client: &mut Client) {
        tokio::select! {
            settled = self.settle() => settled.unwrap(),
            message = client.message() => panic!("unexpected: {message:?}"),
        }
    }
}
