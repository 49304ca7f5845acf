//! Texts of the size that the recording has once they are packed.

use crate::{
    envelope::gzip,
    item::{Ric, Story, json},
    words::Writer,
};

/// What an item is filled up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texture {
    /// Sentences.
    Prose,
    /// Lines of numbers, as exchanges publish them.
    Table,
    /// Codes of what it is about: alerts have no text.
    Subjects,
}

/// How often a size is guessed.
const GUESSES: usize = 4;

/// Fills a story up until its packed size is about `size`: within 2 % where a text can do that.
pub(super) fn fit(story: Story, size: usize, texture: Texture, writer: &mut Writer) -> Story {
    match texture {
        Texture::Subjects => with_subjects(story, size, writer),
        Texture::Prose => with_body(story, size, 16 + size.saturating_sub(EMPTY) / 70, Writer::sentence, writer),
        Texture::Table => with_body(story, size, 24, Writer::line, writer),
    }
}

fn with_subjects(mut story: Story, size: usize, writer: &mut Writer) -> Story {
    // A code of ten digits takes about nine bytes.
    let missing = size.saturating_sub(packed(&story));
    for _ in 0..missing.div_ceil(9) {
        story.subjects.push(format!("P:4{:09}", writer.random.u32(..1_000_000_000)));
    }
    story
}

/// About the packed size of a story without a text.
const EMPTY: usize = 350;

/// `tenths`: about how many bytes of text make ten packed ones. Sentences repeat themselves, so longer texts pack better.
fn with_body(
    mut story: Story,
    size: usize,
    tenths: usize,
    more: fn(&mut Writer) -> String,
    writer: &mut Writer,
) -> Story {
    let mut text = String::new();
    let mut length = size.saturating_sub(EMPTY) * tenths / 10;
    let mut before = (0, EMPTY);
    for _ in 0..GUESSES {
        while text.len() < length {
            text.push_str(&more(writer));
        }
        let end = text.floor_char_boundary(length);
        story.body = text[..end].into();
        let now = packed(&story);
        if now.abs_diff(size) <= (size / 50).max(4) {
            break;
        }
        length = guess(before, (end, now), size);
        before = (end, now);
    }
    story
}

/// How long a text has to be, given two lengths and their packed sizes.
fn guess((length_1, size_1): (usize, usize), (length_2, size_2): (usize, usize), size: usize) -> usize {
    let (gained, spent) = (size_2.abs_diff(size_1).max(1), length_2.abs_diff(length_1).max(1));
    let step = size.abs_diff(size_2) * spent / gained;
    if size > size_2 { length_2 + step } else { length_2.saturating_sub(step) }
}

fn packed(story: &Story) -> usize {
    gzip(&json(story), Ric::Story).len()
}
