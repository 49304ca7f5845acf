//! The blocks of a file.

use std::collections::BTreeMap;

use crate::render::json::{self, Lines};

/// Says who wrote a file, to people.
pub(in crate::render) const MARK: &str = "Written by newsloom synth; edits are overwritten.";

/// Blocks of one file: kind, type, name, and the block's body.
pub(super) type Blocks = BTreeMap<&'static str, BTreeMap<String, BTreeMap<String, String>>>;

pub(super) fn mark(lines: &mut Lines, out: &mut String) {
    lines.key(out, "//");
    json::write_string(out, MARK);
}

pub(super) fn file_of_blocks(blocks: &Blocks) -> String {
    let mut out = String::new();
    let mut lines = Lines::open(&mut out, '{', 0);
    mark(&mut lines, &mut out);
    write_blocks(&mut lines, &mut out, blocks);
    lines.close(&mut out, '}');
    out.push('\n');
    out
}

pub(super) fn write_blocks(lines: &mut Lines, out: &mut String, blocks: &Blocks) {
    for (keyword, kinds) in blocks {
        lines.key(out, keyword);
        let mut inner = Lines::open(out, '{', 1);
        for (kind, names) in kinds {
            inner.key(out, kind);
            let mut innermost = Lines::open(out, '{', 2);
            for (name, body) in names {
                innermost.key(out, name);
                out.push_str(body);
            }
            innermost.close(out, '}');
        }
        inner.close(out, '}');
    }
}
