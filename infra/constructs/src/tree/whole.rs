//! What can be judged only when everything was said.

use std::collections::BTreeMap;

use super::{app::App, names, problem::Problem, stack::Stack};

/// The first words of AWS's regions, without the number: new ones are mostly a new number.
const AREAS: [&str; 31] = [
    "af-south",
    "ap-east",
    "ap-northeast",
    "ap-south",
    "ap-southeast",
    "ca-central",
    "ca-west",
    "cn-north",
    "cn-northwest",
    "eu-central",
    "eu-isoe-west",
    "eu-north",
    "eu-south",
    "eu-west",
    "eusc-de-east",
    "il-central",
    "me-central",
    "me-south",
    "me-west",
    "mx-central",
    "sa-east",
    "sa-west",
    "us-east",
    "us-gov-east",
    "us-gov-west",
    "us-iso-east",
    "us-iso-west",
    "us-isob-east",
    "us-isob-west",
    "us-isof-south",
    "us-west",
];

impl App {
    /// Problems of the app as a whole, and of each stack.
    pub(crate) fn problems_of_the_whole(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let name = &self.defaults.prefix;
        if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') || name.is_empty() {
            problems.push(of("app", format!("the app's name `{name}` must be letters, digits and hyphens")));
        }
        if let Some(problem) = self.defaults.region.as_deref().and_then(region_problem) {
            problems.push(of("app", problem));
        }
        problems.extend(self.tags.iter().filter_map(|(key, _)| Some(of("app", tag_problem(key)?))));
        for stack in &self.stacks {
            self.providers(stack, &mut problems);
            stack.of_the_whole(&mut problems);
        }
        problems
    }

    fn providers(&self, stack: &Stack, problems: &mut Vec<Problem>) {
        let known = |alias: &str| self.aliases.iter().any(|(known, _)| *known == alias);
        for node in &stack.nodes {
            let Some(alias) = node.provider.filter(|alias| !known(alias)) else { continue };
            let near = names::nearest(alias, self.aliases.iter().map(|(known, _)| *known));
            let hint = near.map_or("`App::provider` adds one".to_owned(), |near| format!("did you mean `{near}`?"));
            problems.push(of(&node.path, format!("there is no provider `{alias}`; {hint}")));
        }
    }
}

impl Stack {
    fn of_the_whole(&self, problems: &mut Vec<Problem>) {
        for (old, new) in &self.moves {
            let is_there = |path: &str| {
                path.strip_prefix(new.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if !self.nodes.iter().any(|node| is_there(&node.path)) {
                let near = names::nearest(new, self.nodes.iter().map(|node| node.path.as_str()));
                let hint = near.map_or(String::new(), |path| format!("; did you mean `{path}`?"));
                problems.push(of(&self.name, format!("`{old}` was moved to `{new}`, and nothing is there{hint}")));
            }
        }
        problems.extend(self.tags.keys().filter_map(|(path, key)| {
            let path = if path.is_empty() { &self.name } else { path };
            Some(of(path, tag_problem(key)?))
        }));
        let mut outputs: BTreeMap<String, &str> = BTreeMap::new();
        for output in &self.outputs {
            match outputs.insert(names::snake(&output.name), &output.name) {
                Some(first) if first != output.name => problems.push(of(
                    &self.name,
                    format!(
                        "the outputs `{first}` and `{}` are both called `{}` in Terraform; rename one",
                        output.name,
                        names::snake(&output.name)
                    ),
                )),
                _ => {}
            }
        }
    }
}

fn of(path: &str, message: String) -> Problem {
    Problem { path: path.to_owned(), property: String::new(), message }
}

fn tag_problem(key: &str) -> Option<String> {
    let reserved = key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    reserved.then(|| format!("the tag `{key}` starts with `aws:`, which AWS keeps for itself"))
}

fn region_problem(region: &str) -> Option<String> {
    let (area, number) = region.rsplit_once('-')?;
    let is_number = !number.is_empty() && number.chars().all(|letter| letter.is_ascii_digit());
    if is_number && AREAS.contains(&area) {
        return None;
    }
    match names::nearest(area, AREAS.into_iter()) {
        Some(near) if is_number => Some(format!("`{region}` is no region; did you mean `{near}-{number}`?")),
        // A region opened since this was written looks like one.
        _ if is_number && area.contains('-') => None,
        _ => Some(format!("`{region}` is no region; one is written like `eu-west-1`")),
    }
}
