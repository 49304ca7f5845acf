//! What no log shows.

use crate::rig::{Rig, cloud};
use simulator::{Accounts, Options, Script, Simulator, Story, Trouble};
use std::{
    io,
    sync::{Arc, Mutex},
};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test]
async fn token_that_a_server_repeats_is_never_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let script = Script::default().at(1, Trouble::Error);
    let simulator = Simulator::start(Options { script, ..Options::manual() }).await.unwrap();
    let mut rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    rig.until(|feed| feed.refused.get() == 1).await;
    rig.stop().await;
    let text = log.text();
    assert!(text.contains("reports an error"), "it is told of: {text}");
    assert!(!text.contains(&Accounts::default().client_secret));
    // A token has words of hundreds of letters; nothing else has.
    let longest =
        text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_".contains(letter))).map(str::len).max();
    assert!(longest < Some(100), "{text}");
}
