//! Strings that may hold references: literals, typed references, and joins of both, without templates.

use std::{borrow::Cow, marker::PhantomData, ops::Add};

use super::stack::NodeRef;

/// What a reference yields. A kind is a type, so that an ARN cannot be given where a name belongs.
pub trait Kind: Copy + 'static {
    /// The word used in messages: `arn`, `name`.
    const WORD: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $kind;
        impl Kind for $kind {
            const WORD: &'static str = $word;
        }
    )*};
}

kinds! {
    /// An Amazon Resource Name.
    Arn = "arn";
    /// The name a resource goes by in its service.
    Name = "name";
    /// An id that AWS gives out, such as `vpc-0a1b`.
    Id = "id";
    /// An address: a URL or a host name.
    Url = "url";
    /// Anything else: a version, a revision, a label.
    Other = "value";
}

/// How CloudFormation reaches an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `{"Ref": …}`.
    Ref,
    /// `{"Fn::GetAtt": […, name]}`.
    GetAtt(&'static str),
    /// One element of a list attribute: `{"Fn::Select": [index, GetAtt]}`.
    Select(u8, &'static str),
    /// CloudFormation has no such attribute; using one is a problem at synth.
    None,
}

/// An attribute of a resource, in the words of both backends.
///
/// ```
/// use constructs::tree::{Access, Attribute};
/// const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
/// assert_eq!(ARN.terraform, "arn");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// Terraform's name, with an index where it is needed: `instances[0].endpoints[0]`.
    /// Empty where Terraform has none.
    pub terraform: &'static str,
    /// CloudFormation's way to it.
    pub cloudformation: Access,
    /// The kind's word, see [`Kind::WORD`].
    pub kind: &'static str,
    /// Set where the value must not be shown; an output of it is marked sensitive.
    pub sensitive: bool,
}

impl Attribute {
    /// An attribute that is an ARN.
    pub const fn arn(terraform: &'static str, cloudformation: Access) -> Self {
        Self::new::<Arn>(terraform, cloudformation)
    }

    /// An attribute that is a name.
    pub const fn name(terraform: &'static str, cloudformation: Access) -> Self {
        Self::new::<Name>(terraform, cloudformation)
    }

    /// An attribute that is an id.
    pub const fn id(terraform: &'static str, cloudformation: Access) -> Self {
        Self::new::<Id>(terraform, cloudformation)
    }

    /// An attribute that is an address.
    pub const fn url(terraform: &'static str, cloudformation: Access) -> Self {
        Self::new::<Url>(terraform, cloudformation)
    }

    /// An attribute of any other kind.
    pub const fn other(terraform: &'static str, cloudformation: Access) -> Self {
        Self::new::<Other>(terraform, cloudformation)
    }

    const fn new<K: Kind>(terraform: &'static str, cloudformation: Access) -> Self {
        Self { terraform, cloudformation, kind: K::WORD, sensitive: false }
    }

    /// The same attribute, not to be shown.
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}

/// An attribute of a node, whatever its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Whose attribute.
    pub node: NodeRef,
    /// Which attribute.
    pub attribute: Attribute,
}

/// A typed reference: `Ref<Arn>`, `Ref<Name>`. Small and `Copy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref<K> {
    reference: Reference,
    kind: PhantomData<K>,
}

impl<K: Kind> Ref<K> {
    /// A reference to an attribute of `node`. The attribute's own kind gives way to `K`.
    pub fn new(node: NodeRef, attribute: Attribute) -> Self {
        let attribute = Attribute { kind: K::WORD, ..attribute };
        Self { reference: Reference { node, attribute }, kind: PhantomData }
    }

    /// The untyped reference.
    pub fn reference(self) -> Reference {
        self.reference
    }
}

/// A value that every deployment knows about itself, so that one stack serves every partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pseudo {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    Partition,
    /// The region, such as `eu-west-1`.
    Region,
    /// The account's twelve digits.
    Account,
    /// `amazonaws.com`, or `amazonaws.com.cn` in China.
    DnsSuffix,
    /// The name of one of the region's availability zones, from 0 on. Local and wavelength zones, which an
    /// account has to opt in to, don't count.
    Zone(u8),
}

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Taken as it is; what looks like a template in it is escaped.
    Literal(Cow<'static, str>),
    /// An attribute of a node.
    Reference(Reference),
    /// The partition, region or account of the deployment.
    Pseudo(Pseudo),
}

/// A string: literals and references in a row.
///
/// ```
/// use constructs::tree::{Pseudo, Text};
/// let bucket = Text::from("newsloom-code-") + Pseudo::Account;
/// assert_eq!(bucket.literal(), None);
/// assert_eq!(Text::from("plain").literal(), Some("plain"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Text(TextForm);

#[derive(Debug, Clone, PartialEq)]
enum TextForm {
    One(Part),
    Join(Vec<Part>),
    /// Terraform code inside `${…}`: literals are code, references are bare.
    Expression(Vec<Part>),
}

impl Text {
    /// A Terraform expression, for the few things that have no other form, such as
    /// `jsondecode(secret)["password"]`. Literals are code here and are not escaped. Only for
    /// Terraform renderings.
    pub fn expression<T: Into<Text>>(parts: impl IntoIterator<Item = T>) -> Self {
        Self(TextForm::Expression(parts.into_iter().flat_map(|part| part.into().into_parts()).collect()))
    }

    /// Several texts in a row.
    pub fn join<T: Into<Text>>(parts: impl IntoIterator<Item = T>) -> Self {
        let mut whole = Self(TextForm::Join(Vec::new()));
        for part in parts {
            whole = whole + part;
        }
        whole
    }

    /// The pieces in order.
    pub fn parts(&self) -> &[Part] {
        match &self.0 {
            TextForm::One(part) => std::slice::from_ref(part),
            TextForm::Join(parts) | TextForm::Expression(parts) => parts,
        }
    }

    /// Whether this is Terraform code, see [`Text::expression`].
    pub fn is_expression(&self) -> bool {
        matches!(self.0, TextForm::Expression(_))
    }

    /// The whole text where it holds no reference.
    pub fn literal(&self) -> Option<&str> {
        match self.parts() {
            [Part::Literal(text)] if !self.is_expression() => Some(text),
            [] => Some(""),
            _ => None,
        }
    }

    /// The reference where it is nothing else.
    pub fn reference(&self) -> Option<Reference> {
        match self.parts() {
            [Part::Reference(reference)] if !self.is_expression() => Some(*reference),
            _ => None,
        }
    }

    /// Whether a part of it must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.parts().iter().any(|part| matches!(part, Part::Reference(reference) if reference.attribute.sensitive))
    }

    fn into_parts(self) -> Vec<Part> {
        match self.0 {
            TextForm::One(part) => vec![part],
            TextForm::Join(parts) | TextForm::Expression(parts) => parts,
        }
    }
}

impl<T: Into<Text>> Add<T> for Text {
    type Output = Text;

    fn add(self, more: T) -> Text {
        let mut parts = self.into_parts();
        for part in more.into().into_parts() {
            match (parts.last_mut(), part) {
                // Neighbouring literals are one literal, so that equal texts are equal values.
                (Some(Part::Literal(last)), Part::Literal(next)) => last.to_mut().push_str(&next),
                (_, part) => parts.push(part),
            }
        }
        Text(TextForm::Join(parts))
    }
}

impl<K: Kind, T: Into<Text>> Add<T> for Ref<K> {
    type Output = Text;

    fn add(self, more: T) -> Text {
        Text::from(self) + more
    }
}

macro_rules! text_from {
    ($($source:ty => |$value:ident| $part:expr;)*) => {$(
        impl From<$source> for Text {
            fn from($value: $source) -> Self {
                Self(TextForm::One($part))
            }
        }
    )*};
}

text_from! {
    &'static str => |text| Part::Literal(Cow::Borrowed(text));
    String => |text| Part::Literal(Cow::Owned(text));
    &String => |text| Part::Literal(Cow::Owned(text.clone()));
    Reference => |reference| Part::Reference(reference);
    Pseudo => |pseudo| Part::Pseudo(pseudo);
    Part => |part| part;
}

impl<K: Kind> From<Ref<K>> for Text {
    fn from(reference: Ref<K>) -> Self {
        reference.reference.into()
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}
