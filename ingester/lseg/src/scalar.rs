//! A JSON value where LSEG's documents allow more than one type.
//!
//! Every enumeration may come as its name or as its number, and a member that isn't needed must not lose the message
//! that it is in, whatever it holds.

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// Any value, as far as somebody asks for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    Float(f64),
    Truth(bool),
    /// The texts of a list.
    List(Vec<String>),
    /// Null, an object.
    Other,
}

impl<'a> Scalar<'a> {
    pub(crate) fn into_text(self) -> Option<Cow<'a, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// For `deserialize_with`: a text, borrowed where it has no escapes; none for anything else.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    Scalar::deserialize(from).map(Scalar::into_text)
}

/// For `deserialize_with`: a text of its own; none for anything else.
pub(crate) fn string<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    text(from).map(|text| text.map(Cow::into_owned))
}

/// For `deserialize_with`: a number, as one or as a text; none for anything else.
pub(crate) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Scalar::deserialize(from).map(|scalar| scalar.as_number())
}

/// For `deserialize_with`: a number with a fraction or without; none for anything else.
pub(crate) fn float<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(match Scalar::deserialize(from)? {
        Scalar::Float(number) => Some(number),
        #[expect(clippy::cast_precision_loss, reason = "scores and counts are far below 2^53")]
        Scalar::Number(number) => Some(number as f64),
        _ => None,
    })
}

/// For `deserialize_with`: true or false; none for anything else.
pub(crate) fn truth<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    Ok(if let Scalar::Truth(truth) = Scalar::deserialize(from)? { Some(truth) } else { None })
}

/// For `deserialize_with`: the texts of a list; none of anything else.
pub(crate) fn strings<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(if let Scalar::List(texts) = Scalar::deserialize(from)? { texts } else { Vec::new() })
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "a negative number is a class of -1, or nothing that is used")]
        Ok(u64::try_from(number).map_or(Scalar::Float(number as f64), Scalar::Number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Truth(truth))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(scalar) = list.next_element::<Scalar<'de>>()? {
            texts.extend(scalar.into_text().map(Cow::into_owned));
        }
        Ok(Scalar::List(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}
