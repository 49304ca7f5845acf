//! The recorded half minute that pace and shape follow: sizes and times of real updates, without their content.

use serde::{Deserialize, de::IgnoredAny};
use std::{sync::LazyLock, time::Duration};

/// An item of the recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// When it came, since the first.
    pub after: Duration,
    /// Bytes of the whole gzip, `TOT_SIZE`.
    pub size: usize,
    /// Its language, as it was written.
    pub language: String,
    /// Its provider.
    pub provider: String,
    /// 1 is an alert, 3 an article.
    pub urgency: u8,
    /// 1, 2 or 5.
    pub message_type: u8,
    /// Which take of its story.
    pub take: u32,
    /// How long it was on its way from the provider.
    pub delay: Duration,
    /// Which slot it repeats, whole and unchanged.
    pub repeats: Option<usize>,
}

/// How long the recording is, with the pause before it begins again.
pub const LENGTH: Duration = Duration::from_secs(30);

/// The recording.
pub fn slots() -> &'static [Slot] {
    &SLOTS
}

static SLOTS: LazyLock<Vec<Slot>> = LazyLock::new(|| {
    // It is part of the program, so it is read or a test fails.
    serde_json::from_str::<Recording>(include_str!("profile.json")).map(slots_of).unwrap_or_default()
});

#[derive(Deserialize)]
struct Recording {
    rows: Vec<Row>,
}

/// `frame`, `SeqNumber`, `TIMACT_MS`, `FRAG_NUM`, `TOT_SIZE`, `fragment_bytes`, language, provider, urgency,
/// messageType, takeSequence, versionCreated.
#[derive(Deserialize)]
struct Row(
    IgnoredAny,
    IgnoredAny,
    Option<u64>,
    u32,
    Option<usize>,
    IgnoredAny,
    String,
    String,
    u8,
    u8,
    u32,
    jiff::Timestamp,
);

fn slots_of(recording: Recording) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut seen: Vec<(usize, jiff::Timestamp)> = Vec::new();
    let mut first = None;
    // Second fragments follow at once; they are part of their item.
    for row in recording.rows {
        let Row(_, _, Some(active), 1, Some(size), _, language, provider, urgency, message_type, take, created) = row
        else {
            continue;
        };
        let day = created.as_millisecond().rem_euclid(86_400_000).unsigned_abs();
        let key = (size, created);
        slots.push(Slot {
            after: Duration::from_millis(active - *first.get_or_insert(active)),
            size,
            language,
            provider,
            urgency,
            message_type,
            take,
            delay: Duration::from_millis(active.saturating_sub(day)),
            repeats: seen.iter().position(|known| *known == key),
        });
        seen.push(key);
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recording_is_what_it_is_said_to_be() {
        let slots = slots();
        assert_eq!(slots.len(), 125);
        let repeats: Vec<_> = slots.iter().filter(|slot| slot.repeats.is_some()).collect();
        assert_eq!(repeats.len(), 5);
        for repeat in repeats {
            let apart = repeat.after.abs_diff(slots[repeat.repeats.unwrap()].after);
            assert!((22..=24).contains(&apart.as_secs()), "{apart:?}");
            assert_eq!(repeat.provider, "NS:LSE");
        }
        assert!(slots.is_sorted_by_key(|slot| slot.after));
        assert_eq!(slots.last().unwrap().after.as_millis(), 29_958);
        assert_eq!(slots.iter().filter(|slot| slot.size > 2600).count(), 3);
    }
}
