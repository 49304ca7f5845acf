//! Updates: parts of items.

use super::{Output, Ric, Session};
use crate::{
    analytics,
    envelope::{Outcome, Part},
    message::{Fields, Message},
    story,
};
use jiff::Timestamp;
use std::time::Instant;

impl Session {
    pub(super) fn update(&mut self, message: &Message<'_>, now: Instant, wall: Timestamp, out: &mut Vec<Output>) {
        for id in message.ids.as_slice() {
            // Of a stream that is closed some may still be under way.
            let Some(ric) = self.streams.ric(*id) else { continue };
            match &message.fields {
                Some(Fields { fragment: Some(fragment), .. }) if fragment.is_empty() => {
                    out.push(Output::Refused(format!("{}: FRAGMENT is empty", ric.name())));
                }
                Some(fields) if fields.fragment.is_some() => self.part(ric, fields, now, wall, out),
                _ => out.push(Output::Refused(format!("{}: an update without a FRAGMENT", ric.name()))),
            }
        }
    }

    fn part(&mut self, ric: Ric, fields: &Fields<'_>, now: Instant, wall: Timestamp, out: &mut Vec<Output>) {
        out.push(Output::Fragment);
        let part = Part {
            ric,
            source: fields.source.as_deref().unwrap_or_default(),
            guid: fields.guid.as_deref().unwrap_or_default(),
            number: fields.number,
            total: fields.total,
            fragment: fields.fragment.as_deref().unwrap_or_default(),
        };
        out.extend(match self.assembler.add(&part, now) {
            Outcome::Whole(json) => Some(read(ric, json, &self.options.source, wall)),
            Outcome::Waiting | Outcome::Repeated | Outcome::Late => None,
            Outcome::Lost(lost) => Some(Output::Incomplete(lost.to_string())),
            Outcome::Corrupt(corrupt) => Some(Output::Unreadable(format!("{} item {corrupt}", ric.name()))),
            Outcome::Refused(refused) => Some(Output::Refused(format!("{}: {refused}", ric.name()))),
        });
    }
}

fn read(ric: Ric, json: &[u8], source: &str, wall: Timestamp) -> Output {
    let unreadable = |why: String| Output::Unreadable(format!("{} item {why}", ric.name()));
    match ric {
        Ric::Story => match story::read(json, source, wall) {
            Ok(item) => Output::Item(Box::new(item)),
            Err(error) => unreadable(error.to_string()),
        },
        Ric::Scores => match analytics::read(json, source, wall) {
            Ok(scores) => Output::Scores(Box::new(scores)),
            Err(error) => unreadable(error.to_string()),
        },
    }
}
