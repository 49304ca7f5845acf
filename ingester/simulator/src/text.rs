//! Small helpers about numbers that only look random.

/// FNV-1a, then mixed: the same on every machine and in every version.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let folded = bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3));
    mix(folded)
}

/// One number of several.
pub(crate) fn hash_of(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9E37_79B9_7F4A_7C15, |hash, number| mix(hash ^ mix(*number)))
}

/// A number in 0..1 of several.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(crate) fn chance_of(numbers: &[u64]) -> f64 {
    (hash_of(numbers) >> 11) as f64 / (1_u64 << 53) as f64
}

/// SplitMix64's finalizer.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
