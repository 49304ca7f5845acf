//! What others need for the same pipeline. Not measured here: they need Node.js and Python.

use serde::Serialize;

/// One tool, as it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) tool: &'static str,
    pub(crate) one_pipeline: &'static str,
    pub(crate) app_alone: &'static str,
    pub(crate) hundred_copies: &'static str,
    pub(crate) memory: &'static str,
}

/// Where the figures come from.
pub(crate) const SOURCE: &str = "measured elsewhere on a similar machine (2 cores): the pipeline written in each, \
                                 71 to 95 resources (rusty-cdk can express 24 of them); medians";

/// AWS CDK 2.276 (CLI 3.0), CDK Terrain (cdktn) 0.24, troposphere, rusty-cdk 0.9.
pub(crate) const PEERS: [Peer; 4] = [
    Peer { tool: "cdk synth", one_pipeline: "6.6 s", app_alone: "5.5 s", hundred_copies: "17.8 s", memory: "945 MB" },
    Peer {
        tool: "cdktn synth",
        one_pipeline: "4.6-7.1 s",
        app_alone: "0.5 s",
        hundred_copies: "5.7-7.4 s",
        memory: "920 MB",
    },
    Peer {
        tool: "troposphere, no checks",
        one_pipeline: "-",
        app_alone: "0.12 s",
        hundred_copies: "1.2 s",
        memory: "25 MB",
    },
    Peer {
        tool: "rusty-cdk, few checks",
        one_pipeline: "-",
        app_alone: "0.004 s",
        hundred_copies: "0.03 s",
        memory: "3 MB",
    },
];
