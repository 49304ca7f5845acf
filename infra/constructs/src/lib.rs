//! Typed AWS constructs that synthesize Terraform JSON and CloudFormation.
//!
//! [`tree`] is what was said, [`services`] is what AWS offers, [`render`] is how it is written down;
//! [`schema`] and [`policy`] check the result against what the providers and IAM know, offline; `rules` is what
//! no schema says.
//!
//! ```
//! use constructs::{
//!     render::Format,
//!     services::{dynamodb::{Table, View}, kinesis::Stream, lambda::{Code, Function}, units::{Hours, Mib}},
//!     tree::App,
//! };
//!
//! let mut app = App::new("newsloom").region("eu-west-1").tag("team", "news");
//! let stack = app.stack("news");
//! let news = stack.add("News", Stream::on_demand().retention(Hours(48)));
//! let articles = stack.add("Articles", Table::keyed_by("article_id").streaming(View::NewImage));
//! let enrich = stack.add("Enrich", Function::rust(Code::object("my-code", "enrich.zip")).memory(Mib(256)));
//!
//! stack.trigger(enrich, news.records().batch(100));
//! stack.grant(enrich, articles.insert_items());
//! stack.output("StreamName", news.name());
//!
//! let rendered = app.synth(Format::All)?;
//! assert!(rendered.file("kinesis.tf.json").is_some());
//! assert!(rendered.file("cloudformation/news.template.json").is_some());
//! assert!(!app.may("Enrich", "dynamodb:DeleteTable", "Articles").is_allowed());
//! # Ok::<(), constructs::tree::Problems>(())
//! ```
//!
//! A line that starts with `stack.` changes the stack; everything else is a value. `add` gives back a
//! handle, small and `Copy`, and there is no other way to get one: what is referred to was added before.
//!
//! | AWS CDK | here |
//! |---|---|
//! | `new Stream(this, "News", { … })` | `stack.add("News", Stream::on_demand())` |
//! | props, required and optional | arguments of the constructor, and setters |
//! | a token in a string, `stream.streamArn` | a typed reference, [`Ref<Arn>`](tree::Ref): `stream.arn()` |
//! | `` `${bucket.bucketArn}/*` `` | a [`Text`](tree::Text): `bucket.arn() + "/*"` |
//! | `stream.grantRead(fn)` | `stack.grant(function, stream.read())` |
//! | `fn.addEventSource(…)` | `stack.trigger(function, stream.records())` |
//! | `new CfnOutput(…)` | `stack.output("StreamName", stream.name())` |
//! | `CfnResource` and L1 classes | [`Raw`](tree::Raw), any type of the provider |
//! | `addPropertyOverride` | [`override_cloudformation`](tree::Stack::override_cloudformation), [`override_terraform`](tree::Stack::override_terraform), checked |
//! | `Stream.fromStreamArn(…)` | `Stream::existing("name")`; for any type, [`Lookup`](tree::Lookup) |
//! | `Aspects.of(app).add(…)` | [`App::each_resource`](tree::App::each_resource) |
//! | `Tags.of(app).add(…)` | [`App::tag`](tree::App::tag), [`Stack::tag`](tree::Stack::tag) |
//! | `RemovalPolicy` | [`Removal`](tree::Removal) for the app, [`Stack::protect`](tree::Stack::protect) for one |
//! | exports and `Fn::ImportValue` | nothing: a handle of another stack just works |
//! | `throw` in a constructor | [`Stack::problem`](tree::Stack::problem); synth reports all of them |
//! | `Template.fromStack(…)` | [`Rendered`](render::Rendered), snapshots, and [`App::may`](tree::App::may) |

pub mod policy;
pub mod render;
mod rules;
pub mod schema;
pub mod services;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tree;

/// The page's examples, each of which must not compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/mistakes.md")]
struct Mistakes;
