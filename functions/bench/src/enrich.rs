//! `enrich`: a model and a table that are as slow as a scenario says.

use anyhow::{Context, Result, ensure};
use news::settings::{ANY_LANGUAGE, EnrichSettings, Route};

use crate::{
    Bench, count, events,
    measure::{Plan, measure},
    packages::{self, Program},
    row::{Least, Row, Who},
    stub::{Counts, Latency},
};

/// What makes a batch slow, or cheap.
struct Scenario {
    name: &'static str,
    latency: Latency,
    /// Every other record of a batch is in the table already.
    repeats: bool,
}

/// Nothing but the function's own work.
const NO_WAITING: Latency = Latency { call_ms: 0.0, headline_ms: 0.0, workers: 0, table_ms: 0.0 };
/// A model that takes as long for one headline as for many: a GPU, or one with workers to spare.
const LATENCY: Latency = Latency { call_ms: 20.0, headline_ms: 0.0, workers: 0, table_ms: 5.0 };
/// A model that computes, on two processors: what FinBERT without a GPU is like.
const TWO_WORKERS: Latency = Latency { call_ms: 5.0, headline_ms: 8.0, workers: 2, table_ms: 5.0 };

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "0 ms", latency: NO_WAITING, repeats: false },
    Scenario { name: "20 ms/call", latency: LATENCY, repeats: false },
    Scenario { name: "2 workers, 5+8 ms/headline", latency: TWO_WORKERS, repeats: false },
    Scenario { name: "2 workers, half are repeats", latency: TWO_WORKERS, repeats: true },
];

/// Both ours and the careful Python may ask for so many headlines in a request,
const HEADLINES: u16 = 16;
/// and make so many requests at once.
const IN_FLIGHT: u16 = 8;

const FUNCTION: &str = "enrich";
const TABLE: &str = "articles";
const ENDPOINT: &str = "finbert";

/// Measures everyone's `enrich` in every scenario that is wanted.
pub(crate) async fn rows(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for scenario in &SCENARIOS {
        for who in bench.who(FUNCTION, scenario.name) {
            let program = program(bench, who)?;
            let what = format!("{FUNCTION}, {}, {}", scenario.name, who.name());
            eprintln!("{what}");
            rows.push(row(bench, scenario, who, &program).await.context(what)?);
        }
    }
    Ok(rows)
}

fn program(bench: &Bench, who: Who) -> Result<Program> {
    let program = match who {
        Who::OneByOne => packages::pythons(bench.python()?, "enrich", &[])?,
        Who::WithCare => packages::pythons(bench.python()?, "enrich_tuned", &[])?,
        Who::Newsloom => packages::ours(&bench.arguments.enrich, &bench.folder.join(FUNCTION))?,
    };
    let python = [("ENDPOINT_NAME", ENDPOINT), ("AWS_DEFAULT_REGION", local::REGION)];
    let builder = program.builder.envs(python).envs(settings().into_variables());
    Ok(Program { builder: builder.name(FUNCTION).env("AWS_ENDPOINT_URL", bench.stub.url()), ..program })
}

fn settings() -> EnrichSettings {
    let route = Route {
        languages: vec![ANY_LANGUAGE.into()],
        endpoint_name: ENDPOINT.into(),
        model: "ProsusAI/finbert".into(),
        model_version: "main".into(),
    };
    EnrichSettings {
        pipeline: "bench".into(),
        table_name: TABLE.into(),
        // Nothing listens there: a record that is set aside is one lost, and the measurement fails.
        quarantine_url: "http://127.0.0.1:9/123456789012/quarantine".into(),
        ttl_days: 30,
        routes: vec![route],
        headlines_per_request: HEADLINES,
        requests_in_flight: IN_FLIGHT,
        request_timeout_ms: 10_000,
        writes_in_flight: 16,
    }
}

async fn row(bench: &Bench, scenario: &Scenario, who: Who, program: &Program) -> Result<Row> {
    let plan = bench.plan;
    let there = scenario.there(plan);
    bench.stub.prepare(scenario.latency, there.map(events::id));
    let measured = measure(&program.builder, plan, events::kinesis).await?;
    let counts = bench.stub.counts();
    scenario.check(plan, who, counts)?;
    Ok(Row {
        function: FUNCTION,
        scenario: scenario.name,
        who,
        package_kb: program.package_kb,
        measured,
        least: scenario.least(plan, who),
        counts: Some(counts),
    })
}

impl Scenario {
    /// The items that are in the table at the beginning.
    fn there(&self, plan: Plan) -> impl Iterator<Item = usize> {
        (0..if self.repeats { plan.all_records() } else { 0 }).step_by(2)
    }

    /// How many headlines of all batches have to be judged: Python's functions judge what they have judged before.
    fn to_judge(&self, plan: Plan, who: Who) -> usize {
        let skipped = if who == Who::Newsloom { self.there(plan).count() } else { 0 };
        plan.all_records() - skipped
    }

    /// An error where a record was lost, written twice, or judged more or less often than it has to be.
    fn check(&self, plan: Plan, who: Who, counts: Counts) -> Result<()> {
        let (records, to_judge) = (plan.all_records(), self.to_judge(plan, who));
        let Counts { rows, written_twice, headlines, not_understood, .. } = counts;
        ensure!(rows == records, "{records} records went in, {rows} are in the table: {counts:?}");
        ensure!(written_twice == 0, "{written_twice} records were written twice: {counts:?}");
        ensure!(headlines == to_judge, "{to_judge} headlines were to be judged, {headlines} were: {counts:?}");
        ensure!(not_understood == 0, "{not_understood} requests were not understood: {counts:?}");
        Ok(())
    }

    /// What a batch takes at least; `None` where it takes no time.
    fn least(&self, plan: Plan, who: Who) -> Option<Least> {
        let Latency { call_ms, headline_ms, table_ms, .. } = self.latency;
        let judged = self.to_judge(plan, who) / plan.all_batches();
        let without_look_ms = self.latency.judging(plan.records) + table_ms;
        let own_ms = match who {
            Who::OneByOne => count(plan.records) * (call_ms + headline_ms + table_ms),
            Who::WithCare => without_look_ms,
            Who::Newsloom => table_ms + self.latency.judging(judged) + table_ms,
        };
        (own_ms > 0.0).then_some(Least { own_ms, without_look_ms })
    }
}

impl Latency {
    /// What so many headlines take, in requests as full as they may be and as many at once as there may be: each goes to
    /// the worker that is free first.
    fn judging(&self, headlines: usize) -> f64 {
        let at_once = if self.workers == 0 { usize::from(IN_FLIGHT) } else { self.workers.min(IN_FLIGHT.into()) };
        let mut busy = vec![0.0_f64; at_once];
        let mut left = headlines;
        while left > 0 {
            let request = left.min(HEADLINES.into());
            left -= request;
            if let Some(free_first) = busy.iter_mut().min_by(|one, other| one.total_cmp(other)) {
                *free_first += self.call_ms + self.headline_ms * count(request);
            }
        }
        busy.into_iter().fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { records: 100, batches: 20, colds: 7 };

    fn least(scenario: usize, who: Who) -> (f64, f64) {
        let least = SCENARIOS[scenario].least(PLAN, who).unwrap();
        (least.own_ms, least.without_look_ms)
    }

    #[test]
    fn least_time_is_that_of_the_steps_taken() {
        assert_eq!(SCENARIOS[0].least(PLAN, Who::Newsloom), None);
        assert_eq!(least(1, Who::OneByOne), (2500.0, 25.0));
        assert_eq!(least(1, Who::WithCare), (25.0, 25.0));
        assert_eq!(least(1, Who::Newsloom), (30.0, 25.0));
        // Seven requests on two workers: three of 16 headlines and the one of 4 on the same.
        let judging = 3.0 * 133.0 + 37.0;
        assert_eq!(least(2, Who::Newsloom), (5.0 + judging + 5.0, judging + 5.0));
        // Fifty headlines are four requests, two of 16 on the same.
        assert_eq!(least(3, Who::Newsloom), (5.0 + 2.0 * 133.0 + 5.0, judging + 5.0));
    }

    #[test]
    fn what_is_lost_or_twice_is_an_error() {
        let plan = Plan { records: 2, batches: 1, colds: 0 };
        let fine = Counts { rows: 2, headlines: 2, ..Counts::default() };
        let check = |counts| SCENARIOS[0].check(plan, Who::Newsloom, counts);
        assert!(check(fine).is_ok());
        for wrong in [
            Counts { rows: 1, ..fine },
            Counts { written_twice: 1, ..fine },
            Counts { headlines: 3, ..fine },
            Counts { not_understood: 1, ..fine },
        ] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_newsloom_is_to_leave_repeats_out() {
        let repeats = &SCENARIOS[3];
        assert_eq!(repeats.to_judge(PLAN, Who::Newsloom), 1350);
        assert_eq!(repeats.to_judge(PLAN, Who::WithCare), 2700);
    }
}
