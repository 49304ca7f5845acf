//! A subscriber to the enriched feed: `consume --help`.

use clap::Parser;
use consume::command::{Options, run};

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => {
            eprintln!("consume: error: could not start: {error}");
            1
        }
    };
    // Not by the runtime's end, which waits for a name that is being looked up.
    std::process::exit(code);
}
