//! `newsloom.toml`: everything that an environment of the pipeline can choose.
//!
//! The types are the reference: their comments become `newsloom.schema.json`, which editors show,
//! and every file is checked against it before it becomes [`Settings`].

mod check;
mod enrichment;
mod file;
mod function;
mod general;
mod ingestion;
mod monitoring;
mod network;
mod problem;
mod redistribution;
mod rules;
mod schema;
mod shape;
mod words;

pub use enrichment::{
    Autoscaling, Endpoint, Enrichment, ExistingEndpoint, HubModel, InstanceEndpoint, Model, Route, S3Model,
    ServerlessEndpoint, Table,
};
pub use function::{Function, LogLevel, Trigger};
pub use general::{Architecture, Code, Encryption, Layout, Partition, Removal, S3Backend, Settings, Terraform};
pub use ingestion::{BakedImage, Image, ImageById, Ingestion, Instance, PublicImage, Stream};
pub use monitoring::{Monitoring, Thresholds};
pub use network::{ExistingNetwork, Network, NewNetwork, Zones};
pub use news::feeds::{Alpaca, Authentication, Feed, Filter, Lseg, LsegDeployed, Replay, Rss};
pub use problem::{Place, Problem, Problems};
pub use redistribution::{Broker, ExistingBroker, Maintenance, ManagedBroker, Redistribution, Weekday};
pub use schema::schema_json;
