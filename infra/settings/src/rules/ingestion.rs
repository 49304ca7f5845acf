//! Feeds, the machine and its image.

use super::Rules;
use crate::{Architecture, Authentication, Feed, Image, Network};

/// What the system needs of the disk; the rest is for the spool.
const SYSTEM_GIB: u32 = 4;

pub(super) fn check(rules: &mut Rules<'_>) {
    rules.feeds();
    rules.machine();
}

impl Rules<'_> {
    fn feeds(&mut self) {
        let feeds = &self.settings.ingestion.feeds;
        let key = |index: usize, name: &str| format!("ingestion.feeds[{index}].{name}");
        let keyed = feeds.iter().enumerate();
        self.unique(keyed.map(|(index, feed)| (key(index, "name"), feed.name())));
        for (index, feed) in feeds.iter().enumerate() {
            match feed {
                Feed::Lseg(feed) if feed.connections > 1 && feed.authentication == Authentication::V1 => {
                    let message = "2 given, but a version 1 login allows one session; \
                                   use version 2, or a second feed with a login of its own";
                    self.problem(&key(index, "connections"), message.into());
                }
                Feed::LsegDeployed(feed) if usize::from(feed.connections) > feed.servers.len() => {
                    let servers = feed.servers.len();
                    let message = format!("{} given, but only {servers} server", feed.connections);
                    self.problem(&key(index, "connections"), message);
                }
                _ => (),
            }
        }
    }

    fn machine(&mut self) {
        let ingestion = &self.settings.ingestion;
        let instance = &ingestion.instance;
        self.instance_type("ingestion.instance.instance_type", instance.instance_type.as_deref());
        if let Image::Baked(image) = &ingestion.image {
            let build = image.build_instance_type.as_deref();
            self.instance_type("ingestion.image.build_instance_type", build);
            self.schedule("ingestion.image.schedule", &image.schedule);
            self.way_out_for_builder();
        }
        let free_mib = u32::from(instance.volume_gib).saturating_sub(SYSTEM_GIB) * 1024;
        if instance.spool_mib > free_mib {
            let (spool, volume) = (instance.spool_mib, instance.volume_gib);
            let message = format!("{spool} given, but a disk of {volume} GiB leaves {free_mib} MiB beside the system");
            self.problem("ingestion.instance.spool_mib", message);
        }
    }

    /// Image Builder gives its machine the address that the subnet gives, and ours give none.
    fn way_out_for_builder(&mut self) {
        if let Network::New(network) = &self.settings.network
            && !network.nat
        {
            let message = "\"baked\" given, but the machine that builds the image finds no way out of the network; \
                           set nat = true in [network]";
            self.problem("ingestion.image", message.into());
        }
    }

    fn instance_type(&mut self, key: &str, given: Option<&str>) {
        let Some(given) = given else {
            return;
        };
        let own = if is_graviton(given) { Architecture::Arm } else { Architecture::X86 };
        let wanted = self.settings.architecture;
        if own != wanted {
            let (own, wanted) = (own.name(), wanted.name());
            self.problem(key, format!("{given:?} is {own}, the environment's architecture is {wanted}"));
        }
    }

    fn schedule(&mut self, key: &str, schedule: &str) {
        let fields = schedule.trim_start_matches("cron(").trim_end_matches(')');
        let fields: Vec<_> = fields.split_whitespace().collect();
        let [_, _, day_of_month, _, day_of_week, _] = fields.as_slice() else {
            let given = fields.len();
            let message =
                format!("{given} fields given; six are needed: minutes, hours, day of month, month, day of week, year");
            return self.problem(key, message);
        };
        let open = [day_of_month, day_of_week].iter().filter(|field| **field == &"?").count();
        if open != 1 {
            let message = "one of day of month and day of week must be ?, the other not";
            self.problem(key, message.into());
        }
    }
}

/// Whether an EC2 type has AWS's own processors: `t4g`, `c7gn`, `im4gn`; the letter after the
/// generation says so.
fn is_graviton(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    let generation = family.trim_start_matches(|c: char| !c.is_ascii_digit());
    let options = generation.trim_start_matches(|c: char| c.is_ascii_digit());
    options.starts_with('g') || family == "a1"
}

#[cfg(test)]
mod tests {
    use super::is_graviton;

    #[test]
    fn graviton_is_told_by_the_letter_after_the_generation() {
        for arm in ["t4g.small", "c7gn.large", "im4gn.large", "is4gen.medium", "a1.large", "g5g.xlarge"] {
            assert!(is_graviton(arm), "{arm}");
        }
        for x86 in ["t3.small", "g4dn.xlarge", "m7i-flex.large", "c7a.large", "u-6tb1.metal"] {
            assert!(!is_graviton(x86), "{x86}");
        }
    }
}
