//! What goes wrong on purpose.

use super::{Held, Outgoing, Session, array};
use crate::{
    envelope::{Packed, Part, gzip},
    item::{About, Ric},
    journal::{End, Entry},
    messages::{self, update},
    trouble::{Trouble, seconds},
    world::{Command, Cut, Release},
};
use futures_util::SinkExt;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Message;

/// An item while trouble is made of it.
struct Plan {
    parts: Vec<Part>,
    whole: bool,
    framing: Framing,
    interleaved: bool,
    /// How the connection ends after the first part.
    cut_inside: Option<Cut>,
    twice: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    Array,
    Single,
    Packed,
}

impl Session {
    pub(super) async fn troubled(&mut self, release: &Arc<Release>, out: &mut Outgoing) -> Result<(), End> {
        let world = Arc::clone(&self.world);
        let (seed, endpoint, connection) = (world.options.seed, self.link.endpoint, self.link.number);
        let troubles = world.options.script.of(seed, release.number, endpoint, connection);
        out.troubles += troubles.len() as u64;
        for trouble in &troubles {
            if let Err(end) = self.before(trouble, out).await {
                self.lose(release, out);
                // What is lost is noted; the end is what counts.
                let _ = self.flush(Outgoing { frames: Vec::new(), ..std::mem::take(out) }).await;
                return Err(end);
            }
        }
        if self.is_silent() {
            self.lose(release, out);
            return Ok(());
        }
        if troubles.is_empty() && self.held.is_none() {
            self.honest(release, out);
            return Ok(());
        }
        for (packed, ids) in self.wanted(release) {
            for id in ids {
                self.send_troubled(id, &packed, release, &troubles, out).await?;
            }
        }
        Ok(())
    }

    /// What comes before the item, or instead of it.
    async fn before(&mut self, trouble: &Trouble, out: &mut Outgoing) -> Result<(), End> {
        match trouble {
            Trouble::Garbage => out.frame("{\"ID\":2,\"Type\":\"Upd".into()),
            Trouble::UnknownType => out.frame(r#"[{"ID":2,"Type":"Surprise"}]"#.into()),
            Trouble::Error => {
                let error = messages::error(1, "JSON Unexpected Key. Received 'Simulated'", &self.said_at_login);
                out.frame(array(&error));
            }
            Trouble::Silence { seconds: duration } => {
                self.flush(std::mem::take(out)).await?;
                self.obey(Command::Silence(seconds(*duration))).await?;
            }
            Trouble::Slow { bytes_per_second, seconds: duration } => {
                self.flush(std::mem::take(out)).await?;
                self.obey(Command::Slow(*bytes_per_second, seconds(*duration))).await?;
            }
            Trouble::Binary => {
                self.flush(std::mem::take(out)).await?;
                self.socket.send(Message::binary(vec![0_u8, 1, 2])).await.map_err(|_| End::Vanished)?;
            }
            Trouble::State(state) => {
                self.flush(std::mem::take(out)).await?;
                self.say(state).await?;
            }
            Trouble::LoginState(state) => {
                self.flush(std::mem::take(out)).await?;
                self.say_of_login(state).await?;
            }
            Trouble::ExpireTokens => self.world.expire_tokens(),
            Trouble::ThrowOut => self.world.throw_out(),
            Trouble::Close { inside: false } => {
                self.flush(std::mem::take(out)).await?;
                return Err(End::Closed);
            }
            Trouble::Reset { inside: false } => {
                self.flush(std::mem::take(out)).await?;
                return Err(Box::pin(self.reset()).await);
            }
            _ => {}
        }
        Ok(())
    }

    async fn send_troubled(
        &mut self,
        id: i64,
        packed: &Packed,
        release: &Arc<Release>,
        troubles: &[&Trouble],
        out: &mut Outgoing,
    ) -> Result<(), End> {
        let ric = packed.about.ric;
        let plan = Plan::of(packed, troubles);
        let entry = self.entry(packed, release, plan.whole);
        let mut parts = plan.parts.into_iter();
        if let Some(cut) = plan.cut_inside {
            self.put((id, ric), parts.next().as_slice(), release, plan.framing, out);
            return self.cut_inside(cut, entry, out).await;
        }
        let held = self.held.take();
        if plan.interleaved {
            self.put((id, ric), parts.next().as_slice(), release, plan.framing, out);
            self.held = Some(Held { parts: parts.collect(), entry, release: Arc::clone(release) });
        } else {
            let parts: Vec<_> = parts.collect();
            self.put((id, ric), &parts, release, plan.framing, out);
            if plan.twice {
                self.put((id, ric), &parts, release, plan.framing, out);
            }
            out.entries.push(entry);
        }
        if let Some(Held { parts, entry, release }) = held {
            self.put((id, entry.item.ric), &parts, &release, Framing::Array, out);
            out.entries.push(entry);
        }
        Ok(())
    }

    async fn cut_inside(&mut self, cut: Cut, entry: Entry, out: &mut Outgoing) -> Result<(), End> {
        out.entries.push(Entry { whole: false, ..entry });
        self.flush(std::mem::take(out)).await?;
        Err(match cut {
            Cut::Close => End::Closed,
            Cut::Reset => Box::pin(self.reset()).await,
        })
    }

    fn put(&mut self, (id, ric): (i64, Ric), parts: &[Part], release: &Release, framing: Framing, out: &mut Outgoing) {
        let mut messages = Vec::with_capacity(parts.len());
        for part in parts {
            let sequence = self.next_sequence();
            messages.push(update(&self.to(id, ric, release), sequence, part));
        }
        match framing {
            Framing::Array => messages.iter().for_each(|message| out.update(message)),
            Framing::Single => {
                out.updates += messages.len() as u64;
                for message in messages {
                    out.frame(message);
                }
            }
            Framing::Packed => {
                out.updates += messages.len() as u64;
                out.frame(array(&messages.join(",")));
            }
        }
    }
}

impl Plan {
    fn of(packed: &Packed, troubles: &[&Trouble]) -> Self {
        let mut plan = Self {
            parts: packed.parts(),
            whole: true,
            framing: Framing::Array,
            interleaved: false,
            cut_inside: None,
            twice: false,
        };
        for trouble in troubles {
            plan.apply(trouble, packed);
        }
        plan
    }

    fn apply(&mut self, trouble: &Trouble, packed: &Packed) {
        match trouble {
            Trouble::OutOfOrder => self.in_pieces(packed).rotate_right(1),
            Trouble::MissingFragment => drop(self.in_pieces(packed).remove(1)),
            Trouble::RepeatedFragment => {
                let parts = self.in_pieces(packed);
                *parts = parts.iter().flat_map(|part| [part.clone(), part.clone()]).collect();
            }
            Trouble::OrphanFragment => {
                let id = format!("orphan-{}", packed.about.id);
                self.parts.insert(0, Part { id, number: 2, total: 0, fragment: "YWJj".into() });
            }
            Trouble::Interleaved => {
                self.in_pieces(packed);
                self.interleaved = true;
            }
            Trouble::CorruptBase64 => self.parts[0].fragment.insert_str(2, "*?"),
            Trouble::CorruptGzip => self.replace(&corrupted(packed.bytes()), packed),
            Trouble::CorruptJson => self.replace(&truncated(packed), packed),
            Trouble::TotalTooSmall => self.total(packed.total - 1),
            Trouble::TotalTooLarge => self.total(packed.total + 1),
            Trouble::TotalHuge => self.total(1 << 30),
            Trouble::Bomb => self.replace(&gzip(&vec![b' '; 64 << 20], packed.about.ric), packed),
            Trouble::LongId => self.parts.iter_mut().for_each(|part| part.id = format!("{:x<300}", part.id)),
            Trouble::Twice => self.twice = true,
            Trouble::Packed => {
                self.in_pieces(packed);
                self.framing = Framing::Packed;
            }
            Trouble::Single => self.framing = Framing::Single,
            Trouble::Close { inside: true } => self.cut_inside(packed, Cut::Close),
            Trouble::Reset { inside: true } => self.cut_inside(packed, Cut::Reset),
            _ => return,
        }
        self.whole &= leaves_whole(trouble);
    }

    /// At least three fragments, so that there is something to confuse.
    fn in_pieces(&mut self, packed: &Packed) -> &mut Vec<Part> {
        if self.parts.len() < 3 {
            let bytes = packed.bytes();
            self.parts = Packed::of(Arc::clone(&packed.about), &bytes, bytes.len().div_ceil(3)).parts();
        }
        &mut self.parts
    }

    fn replace(&mut self, bytes: &[u8], packed: &Packed) {
        let about: Arc<About> = Arc::clone(&packed.about);
        self.parts = Packed::of(about, bytes, crate::envelope::FRAGMENT_BYTES).parts();
    }

    fn total(&mut self, total: usize) {
        self.parts.iter_mut().for_each(|part| part.total = total);
    }

    fn cut_inside(&mut self, packed: &Packed, cut: Cut) {
        self.in_pieces(packed);
        self.cut_inside = Some(cut);
    }
}

fn leaves_whole(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::RepeatedFragment
            | Trouble::OrphanFragment
            | Trouble::Interleaved
            | Trouble::Twice
            | Trouble::Packed
            | Trouble::Single
    )
}

fn corrupted(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0xFF;
    }
    bytes
}

/// Sound gzip of half of the JSON.
fn truncated(packed: &Packed) -> Vec<u8> {
    let mut content = Vec::new();
    let bytes = packed.bytes();
    // What was packed here can be unpacked.
    let _ = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut content);
    content.truncate(content.len() / 2);
    gzip(&content, packed.about.ric)
}
