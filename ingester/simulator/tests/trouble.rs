//! Every trouble is seen on the wire, and the journal knows what it did.

mod support;

use serde_json::{Value, json};
use simulator::{End, Fate, Options, Script, Simulator, State, Story, Trouble};
use std::time::{Duration, Instant};
use support::{Anything, Client, connect, fragment, unpacked, user};

/// A simulator with trouble at the first item, and a client that has asked for stories.
async fn with(trouble: Trouble) -> (Simulator, Client) {
    let script = Script::default().at(1, trouble);
    let simulator = Simulator::start(Options { script, ..Options::manual() }).await.unwrap();
    let client = Client::ready(&simulator).await;
    (simulator, client)
}

fn story() -> Story {
    Story::article("Example plc opens a site", "The site is in the north. It has 12 machines.")
}

fn numbers(updates: &[Value]) -> Vec<u64> {
    updates.iter().map(|update| update["Fields"]["FRAG_NUM"].as_u64().unwrap()).collect()
}

async fn whole(simulator: &Simulator, items: u64) -> Vec<bool> {
    simulator.until(|journal| journal.counts.sent == items).await.unwrap();
    simulator.journal().entries.iter().map(|entry| entry.whole).collect()
}

#[tokio::test]
async fn fragments_are_confused_as_asked() -> Anything {
    let cases: [(Trouble, &[u64], bool); 4] = [
        (Trouble::OutOfOrder, &[3, 1, 2], false),
        (Trouble::MissingFragment, &[1, 3], false),
        (Trouble::RepeatedFragment, &[1, 1, 2, 2, 3, 3], true),
        (Trouble::OrphanFragment, &[2, 1], true),
    ];
    for (trouble, expected, is_whole) in cases {
        let (simulator, mut client) = with(trouble.clone()).await;
        simulator.send([story()]).await;
        let updates = client.updates(expected.len()).await;
        assert_eq!(numbers(&updates), expected, "{trouble:?}");
        assert_eq!(whole(&simulator, 1).await, [is_whole], "{trouble:?}");
        let delivered = usize::from(is_whole);
        assert_eq!(simulator.journal().delivered().len(), delivered, "{trouble:?}");
    }
    Ok(())
}

#[tokio::test]
async fn items_are_interleaved_and_both_are_whole() -> Anything {
    let (simulator, mut client) = with(Trouble::Interleaved).await;
    let second = Story::alert("Another one");
    simulator.send([story(), second.clone()]).await;
    let updates = client.updates(4).await;
    assert_eq!(numbers(&updates), [1, 1, 2, 3]);
    assert_eq!(updates[1]["Fields"]["GUID"], second.id);
    let bytes: Vec<u8> = [0, 2, 3].iter().flat_map(|index| fragment(&updates[*index])).collect();
    assert_eq!(serde_json::from_slice::<Story>(&unpacked(&bytes)?)?, story());
    assert_eq!(whole(&simulator, 2).await, [true, true]);
    Ok(())
}

#[tokio::test]
async fn content_is_corrupted_where_asked() -> Anything {
    for trouble in [Trouble::CorruptBase64, Trouble::CorruptGzip, Trouble::CorruptJson] {
        let (simulator, mut client) = with(trouble.clone()).await;
        simulator.send([story()]).await;
        let update = client.updates(1).await.remove(0);
        let text = update["Fields"]["FRAGMENT"].as_str().unwrap();
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text);
        let content = bytes.as_ref().ok().and_then(|bytes| unpacked(bytes).ok());
        let json = content.as_ref().is_some_and(|content| serde_json::from_slice::<Value>(content).is_ok());
        let found = (bytes.is_ok(), content.is_some(), json);
        let expected = match trouble {
            Trouble::CorruptBase64 => (false, false, false),
            Trouble::CorruptGzip => (true, false, false),
            _ => (true, true, false),
        };
        assert_eq!(found, expected, "{trouble:?}");
        assert_eq!(whole(&simulator, 1).await, [false]);
    }
    Ok(())
}

#[tokio::test]
async fn sizes_and_ids_lie_where_asked() -> Anything {
    let cases = [
        (Trouble::TotalTooSmall, -1_i64, 54_usize),
        (Trouble::TotalTooLarge, 1, 54),
        (Trouble::TotalHuge, 1 << 30, 54),
        (Trouble::LongId, 0, 300),
    ];
    for (trouble, off_by, id) in cases {
        let (simulator, mut client) = with(trouble.clone()).await;
        simulator.send([story()]).await;
        let update = client.updates(1).await.remove(0);
        let said = update["Fields"]["TOT_SIZE"].as_i64().unwrap();
        let expected = i64::try_from(fragment(&update).len())? + off_by;
        assert_eq!(if trouble == Trouble::TotalHuge { off_by } else { expected }, said, "{trouble:?}");
        assert_eq!(update["Fields"]["GUID"].as_str().unwrap().len(), id);
    }
    Ok(())
}

#[tokio::test]
async fn bomb_is_small_on_the_wire_and_64_mib_unpacked() -> Anything {
    let (simulator, mut client) = with(Trouble::Bomb).await;
    simulator.send([story()]).await;
    let first = client.updates(1).await.remove(0);
    let total = usize::try_from(first["Fields"]["TOT_SIZE"].as_u64().unwrap())?;
    assert!(total < 100_000, "{total}");
    let mut bytes = fragment(&first);
    while bytes.len() < total {
        bytes.extend(fragment(&client.updates(1).await[0]));
    }
    assert_eq!(unpacked(&bytes)?.len(), 64 << 20);
    Ok(())
}

#[tokio::test]
async fn item_comes_twice_with_new_numbers() -> Anything {
    let (simulator, mut client) = with(Trouble::Twice).await;
    simulator.send([story()]).await;
    let updates = client.updates(2).await;
    assert_eq!(updates[0]["Fields"], updates[1]["Fields"]);
    assert_ne!(updates[0]["SeqNumber"], updates[1]["SeqNumber"]);
    Ok(())
}

#[tokio::test]
async fn frames_have_other_forms_where_asked() -> Anything {
    let (simulator, mut client) = with(Trouble::Packed).await;
    simulator.send([story()]).await;
    client.updates(3).await;
    assert_eq!(client.frames.len(), 3, "two refreshes and one frame with three updates");

    let (simulator, mut client) = with(Trouble::Single).await;
    simulator.send([story()]).await;
    client.updates(1).await;
    assert!(client.frames.last().unwrap().starts_with('{'));
    Ok(())
}

#[tokio::test]
async fn something_else_comes_before_the_item_where_asked() -> Anything {
    for trouble in [Trouble::Garbage, Trouble::Binary, Trouble::UnknownType] {
        let (simulator, mut client) = with(trouble.clone()).await;
        simulator.send([story()]).await;
        let before = client.message().await.unwrap();
        let expected = if trouble == Trouble::UnknownType { "Surprise" } else { "Unreadable" };
        assert_eq!(before["Type"], expected, "{trouble:?}");
        assert_eq!(client.item().await["headline"], story().headline);
        assert_eq!(whole(&simulator, 1).await, [true]);
    }
    Ok(())
}

#[tokio::test]
async fn error_quotes_the_token_of_the_login() -> Anything {
    let script = Script::default().at(1, Trouble::Error);
    let mut options = Options { script, ..Options::manual() };
    options.accounts.any_token = true;
    let simulator = Simulator::start(options).await?;
    let mut client = Client::new(&simulator).await;
    client.say(support::with_token("header.claims.signature")).await;
    client.message().await.unwrap();
    client.say(json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY"}})).await;
    client.message().await.unwrap();
    simulator.send([story()]).await;
    let error = client.message().await.unwrap();
    assert_eq!(error["Type"], "Error");
    assert!(error["Debug"]["Message"].as_str().unwrap().contains("header.claims.signature"));
    Ok(())
}

#[tokio::test]
async fn states_come_with_an_item_and_a_stream_that_is_over_gets_none() -> Anything {
    let (simulator, mut client) = with(Trouble::State(State::open("Suspect").code("GapDetected"))).await;
    simulator.send([story()]).await;
    assert_eq!(client.message().await.unwrap()["State"]["Code"], "GapDetected");
    client.item().await;

    let redirected = State { stream: "Redirected".into(), ..State::open("Ok") };
    let (simulator, mut client) = with(Trouble::State(redirected)).await;
    simulator.send([story()]).await;
    assert_eq!(client.message().await.unwrap()["State"]["Stream"], "Redirected");
    simulator.until(|journal| journal.subscribed() == 0).await?;
    assert!(simulator.journal().delivered().is_empty());

    let (simulator, mut client) = with(Trouble::LoginState(State::closed("NotEntitled"))).await;
    simulator.send([story()]).await;
    let messages = client.until_the_end().await;
    assert_eq!((&messages[0]["Domain"], &messages[0]["State"]["Code"]), (&json!("Login"), &json!("NotEntitled")));
    simulator.until(|journal| journal.connections[0].end == Some(End::LoggedOut)).await?;
    assert_eq!(simulator.journal().entries[0].fate, Fate::Lost);
    Ok(())
}

#[tokio::test]
async fn connection_ends_before_or_inside_of_an_item() -> Anything {
    for (trouble, end, updates) in [
        (Trouble::Close { inside: false }, End::Closed, 0),
        (Trouble::Close { inside: true }, End::Closed, 1),
        (Trouble::Reset { inside: false }, End::Reset, 0),
        (Trouble::Reset { inside: true }, End::Reset, 1),
    ] {
        let (simulator, mut client) = with(trouble.clone()).await;
        simulator.send([story()]).await;
        let messages = client.until_the_end().await;
        assert_eq!(messages.len(), updates, "{trouble:?}");
        simulator.until(|journal| journal.connections[0].end == Some(end)).await?;
        let journal = simulator.journal();
        assert_eq!(journal.entries.len(), 1, "{trouble:?}");
        assert!(journal.delivered().is_empty(), "{trouble:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_released_in_silence_is_lost_and_then_it_goes_on() -> Anything {
    let (simulator, mut client) = with(Trouble::Silence { seconds: 0.3 }).await;
    simulator.send([story()]).await;
    let asked = Instant::now();
    client.say(json!({"Type": "Ping"})).await;
    assert_eq!(client.message().await.unwrap()["Type"], "Pong");
    assert!(asked.elapsed() > Duration::from_millis(150), "{:?}", asked.elapsed());
    simulator.send([Story::alert("Again")]).await;
    assert_eq!(client.item().await["headline"], "Again");
    simulator.until(|journal| journal.counts.sent == 1).await?;
    let fates: Vec<_> = simulator.journal().entries.iter().map(|entry| entry.fate).collect();
    assert_eq!(fates, [Fate::Lost, Fate::Written]);
    Ok(())
}

#[tokio::test]
async fn bytes_dribble_and_the_item_is_whole() -> Anything {
    let (simulator, mut client) = with(Trouble::Slow { bytes_per_second: 2000, seconds: 20.0 }).await;
    let asked = Instant::now();
    simulator.send([story()]).await;
    assert_eq!(client.item().await["headline"], story().headline);
    assert!(asked.elapsed() > Duration::from_millis(200), "{:?}", asked.elapsed());
    Ok(())
}

#[tokio::test]
async fn tokens_that_end_are_nothing_to_users_without_one() -> Anything {
    for trouble in [Trouble::ExpireTokens, Trouble::ThrowOut] {
        let (simulator, mut client) = with(trouble).await;
        simulator.send([story()]).await;
        client.item().await;
    }
    Ok(())
}

#[tokio::test]
async fn trouble_on_one_endpoint_leaves_the_other_alone() -> Anything {
    let script = Script::default().at(1, Trouble::Close { inside: false }).on_endpoint(0);
    let simulator = Simulator::start(Options { script, ..Options::manual() }).await?;
    let mut clients = Vec::new();
    for url in simulator.websocket_urls() {
        let mut client = connect(&url, Some("tr_json2")).await?;
        client.say(user()).await;
        client.message().await.unwrap();
        client.say(json!({"ID": 2, "Domain": "NewsTextAnalytics", "Key": {"Name": "MRN_STORY"}})).await;
        client.message().await.unwrap();
        clients.push(client);
    }
    simulator.send([story()]).await;
    assert!(clients[0].until_the_end().await.is_empty());
    assert_eq!(clients[1].item().await["headline"], story().headline);
    assert_eq!(whole(&simulator, 1).await.len(), 2);
    assert_eq!(simulator.journal().delivered().len(), 1);
    Ok(())
}
