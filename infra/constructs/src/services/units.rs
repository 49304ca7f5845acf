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

macro_rules! longer {
    ($($longer:ident = $times:literal $shorter:ident;)*) => {$(
        impl From<$longer> for $shorter {
            /// The same time; what is too long to be counted is as long as can be.
            fn from(time: $longer) -> Self {
                Self(time.0.saturating_mul($times))
            }
        }
    )*};
}

longer! {
    Minutes = 60 Seconds;
    Hours = 3600 Seconds;
    Days = 86_400 Seconds;
    Hours = 60 Minutes;
    Days = 1440 Minutes;
    Days = 24 Hours;
}
