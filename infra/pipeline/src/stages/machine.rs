//! What the ingester's machine does when it starts, and what an image with the ingester inside is made of.

use constructs::{
    services::{
        imagebuilder::{Document, Step},
        s3::{BucketRef, ObjectRef},
    },
    tree::{Pseudo, Text},
};
use news::settings::IngesterSettings;
use settings::{Alpaca, Feed, Lseg, Settings};

use crate::Asset;

/// The binary's place; also in the unit below.
const BINARY: &str = "/opt/newsloom/ingester";

/// systemd restarts what stops, refuses it whatever it doesn't need, and tells it when to flush.
const UNIT: &str = "\
[Unit]
Description=Newsloom ingester: news feeds to Kinesis
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/opt/newsloom/ingester --config /etc/newsloom/ingester.json
Restart=always
RestartSec=5
WatchdogSec=60
TimeoutStopSec=30
DynamicUser=yes
StateDirectory=newsloom
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
";

/// Where the binary comes from.
pub(super) struct Binary<'a> {
    pub(super) bucket: BucketRef,
    pub(super) asset: &'a Asset,
    /// What has to be there before a machine asks for it.
    pub(super) object: ObjectRef,
}

impl Binary<'_> {
    /// What an image holds beside the binary.
    pub(super) const UNIT: &'static str = UNIT;

    /// Copies it, compares its checksum, and only then puts it in its place. It tries for ten minutes: new
    /// rights and routes take a while to be known everywhere, and nobody starts this a second time.
    fn installation(&self) -> Text {
        Text::from("install -d /opt/newsloom /etc/newsloom\n")
            + "for attempt in {1..60}; do\n    aws s3 cp --only-show-errors --region "
            + Pseudo::Region
            + " s3://"
            + self.bucket.name()
            + format!("/{} {BINARY}.new && break\n    sleep 10\ndone\n", self.asset.key)
            + format!("echo '{}  {BINARY}.new' | sha256sum --check --quiet\n", self.asset.sha256)
            + format!("chmod 0755 {BINARY}.new\nmv {BINARY}.new {BINARY}\n")
            + "cat > /etc/systemd/system/newsloom-ingester.service <<'UNIT'\n"
            + UNIT
            + "UNIT\nsystemctl daemon-reload\n"
    }

    /// What a machine runs when it starts: the installation, unless its image has it, and the configuration.
    pub(super) fn user_data(&self, settings: &Settings, installed: bool) -> Text {
        let start = Text::from("#!/bin/bash\nset -euo pipefail\n");
        let start = if installed { start + "install -d /etc/newsloom\n" } else { start + self.installation() };
        start
            + "cat > /etc/newsloom/ingester.json <<'CONFIG'\n"
            + configuration(settings)
            + "\nCONFIG\nsystemctl enable --now newsloom-ingester.service\n"
    }

    /// The component of an image that has the ingester inside.
    pub(super) fn component(&self) -> Document {
        let install = Text::from("set -euo pipefail\n") + self.installation();
        let check = format!("test -x {BINARY} && systemd-analyze verify newsloom-ingester.service");
        Document::new("Installs the ingester and its unit; it starts when a machine has its configuration")
            .build(Step::bash("Install", [install]))
            .validate(Step::bash("Verify", [check]))
    }
}

/// What the ingester reads: names, never credentials.
fn configuration(settings: &Settings) -> String {
    let told = IngesterSettings {
        pipeline: settings.name.clone(),
        region: Some(settings.region.clone()),
        stream: Some(super::ingestion::stream_name(settings)),
        log_group: Some(super::ingestion::log_group_name(settings)),
        spool_mib: settings.ingestion.instance.spool_mib,
        filter: settings.ingestion.filter.clone(),
        feeds: settings.ingestion.feeds.iter().map(|feed| with_secret(settings, feed)).collect(),
    };
    serde_json::to_string_pretty(&told).expect("settings are JSON")
}

/// The feed, and the name of the secret with its login, whoever makes it.
fn with_secret(settings: &Settings, feed: &Feed) -> Feed {
    let name = Some(secret_name(settings, feed));
    match feed.clone() {
        Feed::Lseg(feed) => Feed::Lseg(Lseg { secret: name, ..feed }),
        Feed::Alpaca(feed) => Feed::Alpaca(Alpaca { secret: name, ..feed }),
        other => other,
    }
}

/// The secret with a feed's login: the customer's, or an empty one for the customer to fill.
pub(super) fn secret_name(settings: &Settings, feed: &Feed) -> String {
    feed.secret().map_or_else(|| format!("{}/feeds/{}", settings.name, feed.name()), ToOwned::to_owned)
}
