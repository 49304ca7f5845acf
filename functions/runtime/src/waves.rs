//! The order of a story.

use std::collections::HashMap;
use std::hash::Hash;

/// Parts items so that each part holds at most one of a story, and a story's items are in successive parts, in
/// their order. What is in one part can be on its way at once; the next part begins when the last has ended.
///
/// Nearly always there is one part: two versions of a story are rarely in one batch.
///
/// ```
/// let waves = runtime::waves(vec!["a1", "b1", "a2", "c1", "a3"], |item| &item[..1]);
/// assert_eq!(waves, [vec!["a1", "b1", "c1"], vec!["a2"], vec!["a3"]]);
/// ```
pub fn waves<T, K: Hash + Eq>(items: Vec<T>, story: impl for<'a> Fn(&'a T) -> K) -> Vec<Vec<T>> {
    let mut seen: HashMap<K, usize> = HashMap::new();
    let mut waves: Vec<Vec<T>> = Vec::new();
    for item in items {
        let wave = seen.entry(story(&item)).or_default();
        if waves.len() == *wave {
            waves.push(Vec::new());
        }
        waves[*wave].push(item);
        *wave += 1;
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_stories_keep_their_order(stories in proptest::collection::vec(0_u8..6, 0..40)) {
            let items: Vec<(u8, usize)> = stories.into_iter().zip(0..).collect();
            let waves = waves(items.clone(), |item| item.0);
            for wave in &waves {
                let mut stories: Vec<u8> = wave.iter().map(|item| item.0).collect();
                stories.sort_unstable();
                stories.dedup();
                prop_assert_eq!(stories.len(), wave.len(), "one of a story in a wave");
            }
            for story in 0..6 {
                let of = |items: Vec<(u8, usize)>| items.into_iter().filter(|item| item.0 == story).collect::<Vec<_>>();
                prop_assert_eq!(of(waves.concat()), of(items.clone()));
            }
        }
    }
}
