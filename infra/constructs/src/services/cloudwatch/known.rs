//! Metrics of AWS namespaces, so that a misspelt one is found before it silently never reports anything.

use super::metric::Metric;

const TABLE: &str = include_str!("metrics.txt");

/// One line of the table: dimensions, and the metrics that have them.
struct Line {
    dimensions: Vec<&'static str>,
    metrics: Vec<&'static str>,
}

/// What is wrong with the metric's name or dimensions, if its namespace is known.
pub(super) fn problem(metric: &Metric) -> Option<String> {
    let (namespace, name) = (metric.namespace.as_ref(), metric.name.as_ref());
    let lines = lines_of(namespace);
    if lines.is_empty() {
        return None;
    }
    let having: Vec<&Line> = lines.iter().filter(|line| line.metrics.contains(&name)).collect();
    if having.is_empty() {
        let names = lines.iter().flat_map(|line| line.metrics.iter().copied());
        let hint = closest(name, names).map(|close| format!("; did you mean `{close}`?")).unwrap_or_default();
        return Some(format!("{namespace} has no metric `{name}`{hint}"));
    }
    let mut given: Vec<&str> = metric.dimensions.iter().map(|(name, _)| name.as_ref()).collect();
    given.sort_unstable();
    if having.iter().any(|line| line.dimensions == given) {
        return None;
    }
    let allowed: Vec<String> = having.iter().map(|line| words(&line.dimensions)).collect();
    Some(format!("{namespace} reports `{name}` by {}, not by {}", allowed.join(", or by "), words(&given)))
}

fn lines_of(namespace: &str) -> Vec<Line> {
    let after = TABLE.lines().skip_while(|line| *line != namespace).skip(1);
    after.take_while(|line| line.starts_with(' ')).filter_map(line).collect()
}

fn line(text: &'static str) -> Option<Line> {
    let (dimensions, metrics) = text.trim_start().split_once(':')?;
    let dimensions = dimensions.split(',').filter(|name| !name.is_empty()).collect();
    Some(Line { dimensions, metrics: metrics.split_whitespace().collect() })
}

fn words(dimensions: &[&str]) -> String {
    if dimensions.is_empty() { "no dimension".to_owned() } else { dimensions.join(" and ") }
}

fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(&name.to_ascii_lowercase(), &other.to_ascii_lowercase());
    known.map(|other| (distance(other), other)).filter(|(far, _)| *far <= name.len() / 3).min().map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let (indented, namespaces): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with(' '));
        let read: usize = namespaces.iter().map(|namespace| lines_of(namespace).len()).sum();
        assert_eq!(read, indented.len());
        assert!(namespaces.len() > 10);
    }

    #[test]
    fn names_and_dimensions_are_checked_where_the_namespace_is_known() {
        let cases = [
            (Metric::new("AWS/Lambda", "Errors").dimension("FunctionName", "enrich"), None),
            (Metric::new("AWS/Lambda", "Errors"), None),
            (Metric::new("Newsloom", "Anything").dimension("Any", "thing"), None),
            (Metric::new("AWS/Nowhere", "Anything"), None),
            (Metric::new("AWS/Lambda", "Errros"), Some("AWS/Lambda has no metric `Errros`; did you mean `Errors`?")),
            (
                Metric::new("AWS/SageMaker", "Invocation5XXErrors").dimension("EndpointName", "finbert"),
                Some(
                    "AWS/SageMaker reports `Invocation5XXErrors` by EndpointName and VariantName, not by EndpointName",
                ),
            ),
        ];
        for (metric, expected) in cases {
            assert_eq!(problem(&metric).as_deref(), expected);
        }
    }
}
