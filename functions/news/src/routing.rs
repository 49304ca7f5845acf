//! The exchange that subscribers bind to, and where messages go that nobody bound to.

/// The durable topic exchange, unless the settings name another.
///
/// The routing key is `<language>.<sentiment>.<provider>`: `en.negative.rtrs`.
pub const EXCHANGE: &str = "news";

/// What the alternate exchange's name and its queue's name add to the exchange's name.
pub const UNROUTED_SUFFIX: &str = ".unrouted";

/// The alternate exchange of `exchange`, and the queue behind it: `news.unrouted`.
pub fn unrouted(exchange: &str) -> String {
    format!("{exchange}{UNROUTED_SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unrouted_is_named_after_its_exchange() {
        assert_eq!(unrouted(EXCHANGE), "news.unrouted");
    }
}
