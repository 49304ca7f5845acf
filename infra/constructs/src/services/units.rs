//! Units, so that a number says what it counts.

macro_rules! units {
    ($($(#[$doc:meta])* $unit:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $unit(pub u32);

        impl From<$unit> for crate::tree::Value {
            fn from(amount: $unit) -> Self {
                amount.0.into()
            }
        }
    )*};
}

units! {
    /// Seconds.
    Seconds;
    /// Minutes.
    Minutes;
    /// Hours.
    Hours;
    /// Days.
    Days;
    /// Mebibytes, 1 048 576 bytes each.
    Mib;
    /// Gibibytes, 1024 mebibytes each.
    Gib;
}
