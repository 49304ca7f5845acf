//! Reads a schema from its packed bytes, in the order `model.py` writes them.

use std::{collections::HashMap, sync::Arc};

use super::{
    Kind,
    pack::number,
    shape::{List, Number, Object, Pattern, Property, Relation, Schema, Shape, TagForm, Tags, Text},
};

/// Patterns by their text, so that each is compiled once.
pub(super) type Patterns = HashMap<String, Arc<Pattern>>;

/// A schema without a name.
pub(super) fn schema(bytes: &[u8], patterns: &mut Patterns) -> Schema {
    let mut reader = Reader { bytes, patterns };
    let root = reader.object();
    let arn = Some(reader.text()).filter(|arn| !arn.is_empty());
    let (form, property) = (reader.number(), reader.text());
    let tags = tag_form(form).map(|form| Tags { property, form });
    let reference = reader.texts();
    let listed = reader.number() == 1;
    let attributes = reader.texts();
    let attributes = listed.then_some(attributes);
    let replaces = reader.texts();
    Schema {
        name: String::new(),
        backend: None,
        kind: Kind::Resource,
        root,
        arn,
        tags,
        reference,
        attributes,
        replaces,
    }
}

fn tag_form(number: usize) -> Option<TagForm> {
    match number {
        1 => Some(TagForm::Map),
        2 => Some(TagForm::Pairs),
        3 => Some(TagForm::PairsAtLaunch),
        _ => None,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    patterns: &'a mut Patterns,
}

impl Reader<'_> {
    fn object(&mut self) -> Object {
        let open = self.number() == 1;
        let properties = self.many(Self::property);
        let relations = self.many(Self::relation);
        Object { properties, open, relations }
    }

    fn property(&mut self) -> Property {
        let name = self.text();
        let marks = self.number();
        Property {
            name,
            required: marks & 1 != 0,
            read_only: marks & 2 != 0,
            write_only: marks & 4 != 0,
            sensitive: marks & 8 != 0,
            deprecated: marks & 16 != 0,
            named: marks & 32 != 0,
            shape: self.shape(),
        }
    }

    fn relation(&mut self) -> Relation {
        let kind = self.number();
        let mut lists = self.many(Self::texts);
        let second = (lists.len() > 1).then(|| lists[1].clone());
        let first = lists.first_mut().map(std::mem::take).unwrap_or_default();
        match (kind, second) {
            (0, _) => Relation::AtMostOne(first),
            (1, _) => Relation::ExactlyOne(first),
            (2, _) => Relation::AtLeastOne(first),
            (3, Some(others)) => Relation::Requires(first.concat(), others),
            (4, Some(others)) => Relation::Excludes(first.concat(), others),
            (kind, _) => {
                lists[0] = first;
                if kind == 5 { Relation::AnyOf(lists) } else { Relation::OneOf(lists) }
            }
        }
    }

    fn shape(&mut self) -> Shape {
        match self.number() {
            0 => Shape::Any,
            1 => Shape::Bool,
            2 => Shape::Number(self.number_shape()),
            3 => Shape::Text(self.text_shape()),
            4 => Shape::List(Box::new(self.list_shape())),
            5 => Shape::Map(Box::new(self.shape())),
            6 => Shape::Object(self.object()),
            7 => Shape::OneOf(self.many(Self::shape)),
            other => panic!("schema pack is corrupt: there is no shape {other}"),
        }
    }

    fn number_shape(&mut self) -> Number {
        let flags = self.number();
        Number {
            integer: flags & 1 != 0,
            min: (flags & 2 != 0).then(|| self.decimal()),
            max: (flags & 4 != 0).then(|| self.decimal()),
            enumeration: self.many_if(flags & 8 != 0, Self::decimal),
        }
    }

    fn text_shape(&mut self) -> Text {
        let flags = self.number();
        Text {
            ignore_case: flags & 1 != 0,
            min: (flags & 2 != 0).then(|| self.number()),
            max: (flags & 4 != 0).then(|| self.number()),
            enumeration: self.many_if(flags & 8 != 0, Self::text),
            patterns: self.many_if(flags & 16 != 0, Self::pattern),
            formats: self.many_if(flags & 32 != 0, Self::text),
        }
    }

    fn list_shape(&mut self) -> List {
        let flags = self.number();
        List {
            unique: flags & 1 != 0,
            block: flags & 2 != 0,
            min: (flags & 4 != 0).then(|| self.number()),
            max: (flags & 8 != 0).then(|| self.number()),
            item: self.shape(),
        }
    }

    fn pattern(&mut self) -> Arc<Pattern> {
        let text = self.text();
        if let Some(known) = self.patterns.get(&text) {
            return Arc::clone(known);
        }
        let pattern = Arc::new(Pattern::new(text.clone()));
        self.patterns.insert(text, Arc::clone(&pattern));
        pattern
    }

    fn texts(&mut self) -> Vec<String> {
        self.many(Self::text)
    }

    fn many<T>(&mut self, read: impl Fn(&mut Self) -> T) -> Vec<T> {
        let count = self.number();
        (0..count).map(|_| read(self)).collect()
    }

    fn many_if<T>(&mut self, there: bool, read: impl Fn(&mut Self) -> T) -> Vec<T> {
        if there { self.many(read) } else { Vec::new() }
    }

    fn text(&mut self) -> String {
        let length = self.number();
        let (text, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        std::str::from_utf8(text).unwrap_or_default().to_owned()
    }

    fn decimal(&mut self) -> f64 {
        self.text().parse().unwrap_or(f64::NAN)
    }

    fn number(&mut self) -> usize {
        number(&mut self.bytes)
    }
}
