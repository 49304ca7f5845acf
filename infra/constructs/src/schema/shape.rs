//! The model: what an object may hold, and of which shape.

use std::sync::{Arc, OnceLock};

use regex_lite::Regex;

use super::{Backend, Kind};

/// What is known of a type.
///
/// ```
/// use constructs::schema::{Backend, Kind, Schemas, TagForm};
/// let schemas = Schemas::new(Backend::CloudFormation);
/// let topic = schemas.find(Kind::Resource, "AWS::SNS::Topic").unwrap();
/// assert_eq!(topic.reference, ["TopicArn"]);
/// assert_eq!(topic.tags.as_ref().unwrap().form, TagForm::Pairs);
/// assert!(topic.replaces("TopicName"));
/// ```
#[derive(Debug, Clone)]
pub struct Schema {
    /// The type's name: `aws_sns_topic`, `AWS::SNS::Topic`.
    pub name: String,
    /// Whose schema it is; nothing for a document of our own.
    pub backend: Option<Backend>,
    /// What it is the schema of.
    pub kind: Kind,
    /// The properties.
    pub root: Object,
    /// How its ARN is made, with `${Partition}`, `${Region}`, `${Account}` and properties' names.
    /// CloudFormation only.
    pub arn: Option<String>,
    /// How tags are written; nothing where there are none.
    pub tags: Option<Tags>,
    /// The property that CloudFormation's `Ref` returns; several are joined by `|`.
    pub reference: Vec<String>,
    /// What `Fn::GetAtt` accepts, sorted. Nothing where all of `root` can be read, as in Terraform.
    pub attributes: Option<Vec<String>>,
    /// Dotted paths of properties whose change replaces the resource, sorted. Not complete for
    /// Terraform.
    pub replaces: Vec<String>,
}

const ANY: &Shape = &Shape::Any;

impl Schema {
    /// The schema of a document of our own.
    pub fn of(name: impl Into<String>, root: Object) -> Self {
        Self {
            name: name.into(),
            backend: None,
            kind: Kind::Resource,
            root,
            arn: None,
            tags: None,
            reference: Vec::new(),
            attributes: None,
            replaces: Vec::new(),
        }
    }

    /// The shape of an attribute that can be read: `instances[0].endpoints[0]`, `Endpoint.Address`.
    pub fn attribute(&self, path: &str) -> Option<&Shape> {
        let Some(attributes) = &self.attributes else {
            return self.root.at(path);
        };
        let listed = |path: &str| attributes.binary_search_by(|known| known.as_str().cmp(path)).is_ok();
        if listed(path) {
            return Some(self.root.at(path).unwrap_or(ANY));
        }
        let (start, _) = path.split_once('.')?;
        let inside = listed(start).then(|| self.root.at(path))?;
        // A nested stack's outputs are a map: their names are not known here.
        inside.or_else(|| (start == "Outputs").then_some(ANY))
    }

    /// Whether a change of the property at a dotted path, without indices, replaces the resource.
    pub fn replaces(&self, path: &str) -> bool {
        self.replaces.binary_search_by(|known| known.as_str().cmp(path)).is_ok()
    }
}

/// How a type's tags are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// The property: `tags`, `Tags`, `tag`.
    pub property: String,
    /// What it holds.
    pub form: TagForm,
}

/// The form of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagForm {
    /// `{"Team": "news"}`.
    Map,
    /// `[{"Key": "Team", "Value": "news"}]`.
    Pairs,
    /// Pairs that also say whether instances get them: `PropagateAtLaunch`; in Terraform `tag` blocks of
    /// `key`, `value`, `propagate_at_launch`.
    PairsAtLaunch,
}

/// What a value may be.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Anything.
    Any,
    /// True or false.
    Bool,
    /// A number.
    Number(Number),
    /// A string.
    Text(Text),
    /// A list or set.
    List(Box<List>),
    /// An object with any names.
    Map(Box<Shape>),
    /// An object with known names.
    Object(Object),
    /// One of several shapes.
    OneOf(Vec<Shape>),
}

impl Shape {
    /// What is needed, in a message's words: `a string`, `a list`.
    pub fn word(&self) -> &'static str {
        match self {
            Shape::Any => "anything",
            Shape::Bool => "a boolean",
            Shape::Number(number) if number.integer => "a whole number",
            Shape::Number(_) => "a number",
            Shape::Text(_) => "a string",
            Shape::List(_) => "a list",
            Shape::Map(_) | Shape::Object(_) => "an object",
            Shape::OneOf(shapes) => shapes.first().map_or("anything", Shape::word),
        }
    }
}

/// Limits of a number.
#[derive(Debug, Clone, Default)]
pub struct Number {
    /// Only whole numbers.
    pub integer: bool,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// The only ones; any where empty.
    pub enumeration: Vec<f64>,
}

/// Limits of a string.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The only values; any where empty.
    pub enumeration: Vec<String>,
    /// Upper and lower case are the same to `enumeration`.
    pub ignore_case: bool,
    /// All of them must match somewhere in the string.
    pub patterns: Vec<Arc<Pattern>>,
    /// The fewest characters.
    pub min: Option<usize>,
    /// The most characters.
    pub max: Option<usize>,
    /// What it means, any of: `arn`, `json`, `AWS::KMS::Key.Arn`. Not known where empty.
    pub formats: Vec<String>,
}

/// A regular expression, compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// A pattern that is not compiled yet.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), compiled: OnceLock::new() }
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is found in `text`. One that does not compile is found everywhere.
    pub fn matches(&self, text: &str) -> bool {
        self.regex().is_none_or(|regex| regex.is_match(text))
    }

    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&self.text).ok()).as_ref()
    }
}

/// Limits of a list.
#[derive(Debug, Clone)]
pub struct List {
    /// What each element is.
    pub item: Shape,
    /// The fewest elements.
    pub min: Option<usize>,
    /// The most elements.
    pub max: Option<usize>,
    /// No element twice.
    pub unique: bool,
    /// A Terraform block: an object stands for a list of one.
    pub block: bool,
}

/// An object with known names.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// The properties, sorted by name.
    pub properties: Vec<Property>,
    /// Other properties are allowed.
    pub open: bool,
    /// What the properties say about each other.
    pub relations: Vec<Relation>,
}

impl Object {
    /// The property of a name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        let found = self.properties.binary_search_by(|known| known.name.as_str().cmp(name));
        found.ok().map(|index| &self.properties[index])
    }

    /// The shape at a dotted path: `instances[0].endpoints[0]`, `resources[0].images.*.id[0]`.
    pub fn at(&self, path: &str) -> Option<&Shape> {
        let (step, rest) = path.split_once('.').unwrap_or((path, ""));
        let (name, indices) = step.split_at(step.find('[').unwrap_or(step.len()));
        let mut shape = &self.property(name)?.shape;
        for _ in indices.matches('[') {
            shape = match shape {
                Shape::List(list) => &list.item,
                Shape::Map(value) => value,
                Shape::Any => ANY,
                _ => return None,
            };
        }
        inside(shape, rest)
    }
}

fn inside<'a>(shape: &'a Shape, rest: &str) -> Option<&'a Shape> {
    if rest.is_empty() {
        return Some(shape);
    }
    match shape {
        Shape::Object(object) => object.at(rest),
        Shape::Map(value) => inside(value, rest.split_once('.').map_or("", |(_, rest)| rest)),
        Shape::Any => Some(ANY),
        // `.*` makes a list of what follows, of each element; the index after it takes one.
        Shape::List(list) => {
            let (each, index) = rest.strip_prefix("*.")?.split_once('[')?;
            index.strip_suffix(']')?.parse::<usize>().ok()?;
            inside(&list.item, each)
        }
        Shape::OneOf(shapes) => shapes.iter().find_map(|shape| inside(shape, rest)),
        _ => None,
    }
}

/// A property of an object.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // marks, each on its own
pub struct Property {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub shape: Shape,
    /// It must be there.
    pub required: bool,
    /// It can be read and never set.
    pub read_only: bool,
    /// It can be set and never read.
    pub write_only: bool,
    /// Its value must not be shown.
    pub sensitive: bool,
    /// It still works and has a successor.
    pub deprecated: bool,
    /// If it is required, null will do: Terraform wants every member of an object attribute named.
    pub named: bool,
}

/// What properties of one object say about each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// They exclude each other.
    AtMostOne(Vec<String>),
    /// One of them, and only one.
    ExactlyOne(Vec<String>),
    /// One of them or more.
    AtLeastOne(Vec<String>),
    /// The first needs the others.
    Requires(String, Vec<String>),
    /// The first excludes the others.
    Excludes(String, Vec<String>),
    /// One set of them must be there.
    AnyOf(Vec<Vec<String>>),
    /// Exactly one set of them must be there.
    OneOf(Vec<Vec<String>>),
}
