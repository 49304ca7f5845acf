//! What AWS and Terraform accept, as data: every property of a resource type, and a check against it.
//!
//! The facts are in `infra/constructs/schema/`, packed; its README names their sources. Both backends
//! share one model, [`Schema`], so that one checker serves Terraform, CloudFormation and documents of
//! our own.

mod check;
mod pack;
mod read;
mod references;
mod relations;
mod shape;
mod words;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

pub use crate::tree::Backend;
pub use check::{Finding, check};
pub use references::References;
pub use shape::{List, Number, Object, Pattern, Property, Relation, Schema, Shape, TagForm, Tags, Text};

use pack::Pack;

/// What a type is the type of. CloudFormation has resources only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A managed resource.
    Resource,
    /// A Terraform data source.
    Data,
    /// A Terraform ephemeral resource.
    Ephemeral,
    /// A Terraform provider's configuration; only `aws` is known.
    Provider,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Resource => "r/",
            Kind::Data => "d/",
            Kind::Ephemeral => "e/",
            Kind::Provider => "p/",
        }
    }
}

/// The schemas of a backend. Each type is unpacked when it is first asked for, and kept.
///
/// ```
/// use constructs::schema::{Backend, Kind, Schemas};
/// let schemas = Schemas::new(Backend::Terraform);
/// let stream = schemas.find(Kind::Resource, "aws_kinesis_stream").unwrap();
/// assert!(stream.root.property("name").unwrap().required);
/// let unknown = schemas.find(Kind::Resource, "aws_kinesis_strem").unwrap_err();
/// assert_eq!(unknown.to_string(), "unknown type `aws_kinesis_strem`; did you mean `aws_kinesis_stream`?");
/// ```
pub struct Schemas {
    backend: Backend,
    store: Mutex<Store>,
}

/// What is unpacked, and what it is unpacked from.
struct Store {
    pack: Pack,
    /// By kind, then by name.
    found: [HashMap<String, Arc<Schema>>; 4],
    patterns: read::Patterns,
}

impl Schemas {
    /// No type unpacked yet.
    pub fn new(backend: Backend) -> Self {
        let pack = match backend {
            Backend::Terraform => Pack::new(include_bytes!("../../schema/terraform.pack")),
            Backend::CloudFormation => Pack::new(include_bytes!("../../schema/cloudformation.pack")),
        };
        let store = Store { pack, found: Default::default(), patterns: read::Patterns::default() };
        Self { backend, store: Mutex::new(store) }
    }

    /// The schemas that the whole process shares, so that no type is unpacked twice.
    pub fn of(backend: Backend) -> &'static Self {
        static TERRAFORM: LazyLock<Schemas> = LazyLock::new(|| Schemas::new(Backend::Terraform));
        static CLOUDFORMATION: LazyLock<Schemas> = LazyLock::new(|| Schemas::new(Backend::CloudFormation));
        match backend {
            Backend::Terraform => &TERRAFORM,
            Backend::CloudFormation => &CLOUDFORMATION,
        }
    }

    /// Whose words they are in.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The schema of a type.
    ///
    /// # Errors
    ///
    /// The type is not in the pack: it is misspelt, too new, or of a provider that is not covered.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Arc<Schema>, Unknown> {
        let mut store = self.store();
        if let Some(known) = store.found[kind as usize].get(name) {
            return Ok(Arc::clone(known));
        }
        let Some(schema) = self.unpack(&mut store, kind, name) else {
            drop(store);
            return Err(self.unknown(kind, name));
        };
        let schema = Arc::new(schema);
        store.found[kind as usize].insert(name.to_owned(), Arc::clone(&schema));
        Ok(schema)
    }

    /// The names of all types of a kind, sorted.
    pub fn names(&self, kind: Kind) -> Vec<String> {
        let prefix = self.prefix(kind);
        let store = self.store();
        let names = store.pack.names().filter_map(|name| name.strip_prefix(prefix?));
        names.map(str::to_owned).collect()
    }

    // A reader that panicked left nothing half done: what it found is put in last.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unpack(&self, store: &mut Store, kind: Kind, name: &str) -> Option<Schema> {
        let full = format!("{}{name}", self.prefix(kind)?);
        let bytes = store.pack.unpack(&full)?;
        let schema = read::schema(bytes, &mut store.patterns);
        Some(Schema { name: name.to_owned(), backend: Some(self.backend), kind, ..schema })
    }

    /// What stands before a name in the pack, or nothing where the backend has no such kind.
    fn prefix(&self, kind: Kind) -> Option<&'static str> {
        match self.backend {
            Backend::Terraform => Some(kind.prefix()),
            Backend::CloudFormation => (kind == Kind::Resource).then_some(""),
        }
    }

    fn unknown(&self, kind: Kind, name: &str) -> Unknown {
        let names = self.names(kind);
        let nearest = words::near(name, names.iter().map(String::as_str));
        Unknown { name: name.to_owned(), nearest: nearest.into_iter().map(str::to_owned).collect() }
    }
}

/// A type that no schema is known of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The name that was asked for.
    pub name: String,
    /// Names much like it, the nearest first. Empty where none is.
    pub nearest: Vec<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unknown type `{}`", self.name)?;
        match self.nearest.first() {
            Some(near) => write!(formatter, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unknown {}
