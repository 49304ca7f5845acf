//! The smallest useful app: a stream, somebody who may write to it, and files for both backends.
//!
//! ```sh
//! cargo run -p newsloom-constructs --example quickstart -- target/quickstart
//! ```

use std::{env, error::Error, path::Path};

use constructs::{
    render::Format,
    services::{
        iam::{Role, Service},
        kinesis::Stream,
        kms::Key,
        units::Hours,
    },
    tree::App,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).unwrap_or_else(|| "target/quickstart".into());

    let mut app = App::new("quickstart").region("eu-west-1").tag("team", "news");
    let stack = app.stack("ingestion");
    let key = stack.add("Key", Key::new("Encrypts the news"));
    let news = stack.add("News", Stream::on_demand().retention(Hours(48)).encrypted_by(key));
    let writer = stack.add("Writer", Role::of(Service::EC2));
    stack.grant(writer, news.write());
    stack.output("StreamName", news.name()).describe("Where to put records");

    let written = app.synth(Format::All)?.write(Path::new(&folder))?;
    println!("{folder}: {} files written, {} unchanged", written.written.len(), written.unchanged.len());
    Ok(())
}
