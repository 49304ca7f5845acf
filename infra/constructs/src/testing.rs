//! For tests of constructs: what a definition renders, as snapshots beside all the others.

use crate::{
    render::Format,
    tree::{App, Construct, Problems, Stack},
};

/// Adds a construct to a stack of its own, at the path `It`, and snapshots both renderings as
/// `<name>.terraform.snap` and `<name>.cloudformation.snap`.
///
/// # Panics
/// Where synth finds a problem, or a rendering differs from its snapshot.
pub fn check<C: Construct>(name: &str, construct: C) {
    check_stack(name, |stack| {
        stack.add("It", construct);
    });
}

/// Like [`check`], for what takes several lines to say.
///
/// # Panics
/// Where synth finds a problem, or a rendering differs from its snapshot.
pub fn check_stack(name: &str, build: impl FnOnce(&mut Stack)) {
    let rendered = match app(build).synth(Format::All) {
        Ok(rendered) => rendered,
        Err(problems) => panic!("{name} has problems:\n{problems}"),
    };
    let mut terraform = String::new();
    for (path, text) in rendered.files().filter(|(path, _)| !path.starts_with("cloudformation/")) {
        // The provider's settings are the same for all.
        if path != "main.tf.json" {
            terraform.push_str(text);
        }
    }
    let cloudformation = rendered.file("cloudformation/test.template.json").unwrap_or_default();
    snapshot(&format!("{name}.terraform"), &terraform);
    snapshot(&format!("{name}.cloudformation"), cloudformation);
}

/// The problems of a stack, one line each; empty where it has none.
pub fn problems(build: impl FnOnce(&mut Stack)) -> String {
    match app(build).synth(Format::All) {
        Ok(_) => String::new(),
        Err(problems) => Problems::to_string(&problems),
    }
}

/// Compares a text with the snapshot of that name in the workspace's `snapshots/`.
///
/// # Panics
/// Where they differ.
pub fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn app(build: impl FnOnce(&mut Stack)) -> App {
    let mut app = App::new("newsloom").region("eu-west-1");
    build(app.stack("test"));
    app
}
