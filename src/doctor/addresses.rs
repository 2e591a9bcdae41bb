//! The databases of countries and networks: whether they can be used, and how old they are.

use super::{Level, Scene, Told, shown};
use crate::enrich::geo::{Databases, HINT};
use crate::report::grouped;

/// They are published daily or monthly, and updated weekly.
const OLD_DAYS: i64 = 45;

pub(super) fn check(scene: &Scene, told: &Told) {
    let config = &scene.config;
    let paths = (config.countries.paths.clone(), config.networks.paths.clone());
    // No compiled form is kept: that would be a file.
    let mut databases = Databases::new(paths.0, paths.1, None);
    let all = databases.describe();
    for about in &all {
        if let Some(error) = &about.error {
            told.refusal(Level::Warning, error, about.hint);
            continue;
        }
        let name = format!("{} of {}", about.kind.plural(), shown(&about.path));
        let ranges = grouped(about.ranges);
        match about.dated.and_then(|dated| scene.ago(dated)) {
            Some((seconds, ago)) if seconds > OLD_DAYS * 86_400 => {
                told.warning(&format!("{name}: {ago} old"), HINT);
            }
            Some((_, ago)) => told.ok(&format!("{name}: {ranges} ranges, {ago} old")),
            None => told.ok(&format!("{name}: {ranges} ranges")),
        }
    }
    let unusable = |text: &String| all.iter().any(|about| about.error.as_ref() == Some(text));
    for fault in databases.warnings().into_iter().filter(|fault| !unusable(&fault.text)) {
        told.refusal(Level::Warning, &fault.text, fault.hint);
    }
}
