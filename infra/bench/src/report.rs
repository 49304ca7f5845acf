//! The measurements as tables.

use std::fmt::Write;

use crate::{
    Measurements,
    copies::Measured,
    edit::Edit,
    peers::{PEERS, SOURCE},
    process::Processes,
    usage::Spread,
};

/// All tables, with what each is to stay below.
pub(crate) fn text(measured: &Measurements) -> String {
    let mut out = String::new();
    processes(&mut out, &measured.process);
    copies(&mut out, &measured.copies);
    edit(&mut out, &measured.edit);
    peers(&mut out);
    out
}

fn processes(out: &mut String, processes: &Processes) {
    line(out, "newsloom synth, a process: both formats, all checks, files written (aim: 10 ms)");
    line(out, &format!("  {:<26} {:<10} {:>26} {:>26}", "", "", "clock ms, min-max", "processor ms, min-max"));
    for one in &processes.measured {
        let what = if one.first { "first" } else { "unchanged" };
        let (wall, processor) = (spread(one.wall_ms), spread(one.processor_ms));
        line(out, &format!("  {:<26} {what:<10} {wall:>26} {processor:>26}", one.config));
    }
    line(out, &format!("  {:<26} {:<10} {:>26}", "newsloom version", "", spread(processes.nothing_ms)));
    line(out, &format!("  at most {:.1} MB\n", processes.peak_mb));
}

fn copies(out: &mut String, sizes: &[Measured]) {
    line(out, "copies of the pipeline of newsloom.toml in one app (aim: 100 copies in 150 ms and 100 MB, linear)");
    let header = ["copies", "resources", "clock ms", "processor ms", "MB", "us each"];
    let parts = ["tree", "terraform", "cloudformation", "write"];
    line(out, &columns(&[&header[..], &parts[..]].concat()));
    for one in sizes {
        let each = one.processor_ms * 1000.0 / f64::from(u32::try_from(one.resources).unwrap_or(u32::MAX));
        let numbers = [one.wall_ms, one.processor_ms, one.peak_mb, each];
        let parts = &one.parts;
        let parts = [parts.tree, parts.terraform, parts.cloudformation, parts.write];
        let mut cells = vec![one.copies.to_string(), one.resources.to_string()];
        cells.extend(numbers.into_iter().chain(parts).map(|number| format!("{number:.1}")));
        line(out, &columns(&cells));
    }
    line(out, "  terraform and cloudformation: rendering and checks, each alone, which is more than both together\n");
}

fn edit(out: &mut String, edit: &Result<Edit, String>) {
    line(out, "edit a stage of the pipeline, then make synth (aim: 2 s)");
    match edit {
        Ok(edit) => {
            let (wall, processor) = (spread(edit.wall_ms), spread(edit.processor_ms));
            line(out, &format!("  clock ms {wall}; processor ms {processor}\n"));
        }
        Err(why) => line(out, &format!("  {why}\n")),
    }
}

fn peers(out: &mut String) {
    line(out, &format!("others, {SOURCE}"));
    let row = |cells: [&str; 5]| {
        format!("  {:<24} {:>14} {:>12} {:>20} {:>10}", cells[0], cells[1], cells[2], cells[3], cells[4])
    };
    line(out, &row(["", "one pipeline", "app alone", "100 copies, app", "memory"]));
    for peer in &PEERS {
        line(out, &row([peer.tool, peer.one_pipeline, peer.app_alone, peer.hundred_copies, peer.memory]));
    }
}

fn columns<T: AsRef<str>>(cells: &[T]) -> String {
    cells.iter().fold(String::from(" "), |row, cell| row + &format!(" {:>14}", cell.as_ref()))
}

fn spread(spread: Spread) -> String {
    format!("{:.1} ({:.1}-{:.1})", spread.median, spread.min, spread.max)
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}
