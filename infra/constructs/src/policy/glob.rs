//! Text with gaps, and whether two of them can be the same text: how a policy's resource is held against
//! the format of an ARN.

use super::reference::ResourceType;
use crate::tree::{Part, Pseudo, Text};

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// This very character.
    Char(char),
    /// Any one character but these.
    One(&'static str),
    /// Any number of characters but these, also none.
    Any(&'static str),
}

/// Inside a name that is not known yet, no separator is expected.
const NAME: &str = "/:";

/// A text with gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Step>);

impl Pattern {
    /// Empty, with room for an ARN of usual length.
    fn with_room() -> Self {
        Self(Vec::with_capacity(96))
    }

    /// The ARNs of a resource type.
    pub(super) fn of_type(resource: &ResourceType) -> Self {
        let mut pattern = Self::with_room();
        let last = resource.format.rfind("${");
        pattern.push_template(resource.format, |start, name| match name {
            "Partition" | "Region" | "Account" => NAME,
            _ if last == Some(start) => resource.tail_excludes,
            _ => "",
        });
        pattern
    }

    /// What a resource in a policy stands for. `template` gives what is known of a reference.
    pub(super) fn of_text(text: &Text, template: &dyn Fn(&Part) -> Option<String>) -> Self {
        let mut pattern = Self::with_room();
        if text.is_expression() {
            pattern.0.push(Step::Any(""));
            return pattern;
        }
        for part in text.parts() {
            match (part, template(part)) {
                (Part::Literal(literal), _) => pattern.push_template(literal, |_, _| NAME),
                (_, Some(template)) => pattern.push_template(&template, |_, _| NAME),
                (Part::Reference(reference), None) if reference.attribute.kind == "arn" => {
                    pattern.0.push(Step::Any(""));
                }
                (Part::Pseudo(_) | Part::Reference(_), None) => pattern.push_gap(NAME),
            }
        }
        pattern
    }

    /// A wildcard as IAM reads it: `*` is any text, `?` any one character.
    pub(super) fn of_wildcard(wildcard: &str) -> Self {
        Self(wildcard.chars().map(step).collect())
    }

    /// Whether some text fits both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        // Most start with the same letters, and differ by letters where they differ.
        let same = self.0.iter().zip(&other.0).take_while(|(one, other)| one == other && !one.is_gap()).count();
        if let (Some(Step::Char(one)), Some(Step::Char(other))) = (self.0.get(same), other.0.get(same))
            && one != other
        {
            return false;
        }
        // Every pair of places that can be reached without having read different texts.
        let width = other.0.len() + 1;
        let mut seen = vec![false; (self.0.len() + 1) * width];
        let mut open = vec![(same, same)];
        while let Some((left, right)) = open.pop() {
            if std::mem::replace(&mut seen[left * width + right], true) {
                continue;
            }
            match (self.0.get(left), other.0.get(right)) {
                (None, None) => return true,
                (Some(Step::Any(_)), Some(Step::Any(_))) => open.extend([(left + 1, right), (left, right + 1)]),
                (Some(Step::Any(without)), next) => {
                    open.push((left + 1, right));
                    if next.is_some_and(|next| next.overlaps(Step::One(without))) {
                        open.push((left, right + 1));
                    }
                }
                (next, Some(Step::Any(without))) => {
                    open.push((left, right + 1));
                    if next.is_some_and(|next| next.overlaps(Step::One(without))) {
                        open.push((left + 1, right));
                    }
                }
                (Some(one), Some(other)) if one.overlaps(*other) => open.push((left + 1, right + 1)),
                _ => {}
            }
        }
        false
    }

    /// Text with `${…}` placeholders of at least one character, and IAM's wildcards.
    fn push_template(&mut self, template: &str, without: impl Fn(usize, &str) -> &'static str) {
        let mut rest = template;
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else { break };
            self.push_literal(&rest[..start]);
            let offset = template.len() - rest.len() + start;
            self.push_gap(without(offset, &rest[start + 2..start + length]));
            rest = &rest[start + length + 1..];
        }
        self.push_literal(rest);
    }

    /// A star between an ARN's first colons stays between them: `arn:aws:logs:*:*:log-group:news`.
    fn push_literal(&mut self, literal: &str) {
        let mut colons = self.0.iter().filter(|step| **step == Step::Char(':')).count();
        let mut characters = literal.chars().peekable();
        while let Some(character) = characters.next() {
            colons += usize::from(character == ':');
            let stays = character == '*' && colons < 5 && characters.peek() == Some(&':');
            self.0.push(if stays { Step::Any(NAME) } else { step(character) });
        }
    }

    fn push_gap(&mut self, without: &'static str) {
        self.0.extend([Step::One(without), Step::Any(without)]);
    }
}

impl Step {
    fn is_gap(self) -> bool {
        !matches!(self, Self::Char(_))
    }

    /// Whether some character fits both; neither is [`Step::Any`].
    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(one), Self::Char(other)) => one == other,
            (Self::Char(one), Self::One(without)) | (Self::One(without), Self::Char(one)) => !without.contains(one),
            _ => true,
        }
    }
}

fn step(character: char) -> Step {
    match character {
        '*' => Step::Any(""),
        '?' => Step::One(""),
        other => Step::Char(other),
    }
}

/// A text as a message shows it: `arn:${Partition}:kinesis:…:stream/news`.
pub(super) fn shown(text: &Text, template: &dyn Fn(&Part) -> Option<String>) -> String {
    let part = |part: &Part| match (part, template(part)) {
        (Part::Literal(literal), _) => literal.to_string(),
        (_, Some(template)) => template,
        (Part::Pseudo(pseudo), None) => pseudo_word(*pseudo).to_owned(),
        (Part::Reference(reference), None) => format!("${{{}}}", reference.attribute.kind),
    };
    text.parts().iter().map(part).collect()
}

fn pseudo_word(pseudo: Pseudo) -> &'static str {
    match pseudo {
        Pseudo::Partition => "${Partition}",
        Pseudo::Region => "${Region}",
        Pseudo::Account => "${Account}",
        Pseudo::DnsSuffix => "${DnsSuffix}",
        Pseudo::Zone(_) => "${Zone}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::reference;

    #[test]
    fn wildcards_meet_where_some_text_fits_both() {
        let cases = [
            ("news", "news", true),
            ("news", "new", false),
            ("n*", "*s", true),
            ("n*x", "*s", false),
            ("*", "", true),
            ("?", "", false),
            ("n?ws", "ne*", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
        ];
        for (one, other, expected) in cases {
            let (left, right) = (Pattern::of_wildcard(one), Pattern::of_wildcard(other));
            assert_eq!(left.meets(&right), expected, "{one} and {other}");
            assert_eq!(right.meets(&left), expected, "{other} and {one}");
        }
    }

    #[test]
    fn resources_fit_the_formats_they_are_written_for() {
        let cases = [
            ("s3", "bucket", "arn:aws:s3:::code", true),
            ("s3", "bucket", "arn:aws:s3:::code/*", false),
            ("s3", "object", "arn:aws:s3:::code/*", true),
            ("s3", "object", "arn:aws:s3:::code", false),
            ("s3", "object", "arn:aws:s3:::*", true),
            ("dynamodb", "table", "arn:aws:dynamodb:eu-west-1:111122223333:table/articles", true),
            ("dynamodb", "table", "arn:aws:dynamodb:eu-west-1:111122223333:table/articles/stream/*", false),
            ("dynamodb", "stream", "arn:aws:dynamodb:eu-west-1:111122223333:table/a/stream/2024-01-01T00:00:00", true),
            ("dynamodb", "index", "arn:aws:dynamodb:eu-west-1:111122223333:table/articles", false),
            ("logs", "log-stream", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/enrich:*", true),
            ("logs", "log-stream", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/enrich", false),
            ("logs", "log-group", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/enrich:*", true),
            ("lambda", "function", "arn:aws:lambda:eu-west-1:111122223333:function:enrich:live", true),
            ("iam", "role", "arn:aws:iam::111122223333:role/service/enrich", true),
            ("kinesis", "stream", "arn:aws:kinesis:eu-west-1:111122223333:strem/news", false),
            ("kinesis", "stream", "arn:aws:kinesis:*:*:stream/*", true),
            ("sqs", "queue", "arn:aws:sqs:eu-west-1:111122223333:failures", true),
            ("sqs", "queue", "arn:aws:sns:eu-west-1:111122223333:failures", false),
        ];
        for (service, kind, arn, expected) in cases {
            let format = Pattern::of_type(&reference::service(service).unwrap().resource(kind).unwrap());
            let resource = Pattern::of_text(&arn.into(), &|_| None);
            assert_eq!(resource.meets(&format), expected, "{service} {kind} {arn}");
        }
    }

    #[test]
    fn a_reference_is_what_its_template_says() {
        let bucket = "arn:${Partition}:s3:::${BucketName}";
        let template = |part: &Part| matches!(part, Part::Pseudo(_)).then(|| bucket.to_owned());
        let object = Pattern::of_type(&reference::service("s3").unwrap().resource("object").unwrap());
        let alone = Text::from(Pseudo::Account);
        assert!(!Pattern::of_text(&alone, &template).meets(&object));
        assert!(Pattern::of_text(&(alone + "/*"), &template).meets(&object));
    }
}
