//! Alpaca's errors, and what each means for the next connection ("WebSocket Stream", errors).

/// How long to wait before the next connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It may well go better at once.
    Little,
    /// Somebody else has to finish first.
    Some,
    /// A person has to change something. Asking often would look like an attack.
    Much,
}

/// Too many messages waited for this client, so some were left out.
pub(super) const SLOW_CLIENT: u16 = 407;

/// `None`: the connection is as good as before.
pub(super) fn patience(code: u16) -> Option<Patience> {
    match code {
        // Already authenticated.
        403 => None,
        // Invalid syntax, authentication failed, symbol limit exceeded, insufficient subscription, invalid subscribe
        // action for this feed.
        400 | 402 | 405 | 409 | 410 => Some(Patience::Much),
        // Connection limit exceeded: as a rule one connection each.
        406 => Some(Patience::Some),
        // Not authenticated, authentication timeout, slow client, internal error, and whatever comes up.
        _ => Some(Patience::Little),
    }
}

/// What a person can do about it.
pub(super) fn advice(code: u16) -> &'static str {
    match code {
        402 => ": put other keys into the secret",
        405 => ": name fewer symbols",
        406 => ": another program uses these keys",
        409 => ": the account has no right to this stream",
        _ => "",
    }
}
