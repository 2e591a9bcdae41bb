//! Alerts: by which ways they leave, whether those can be used, and what waits for them; a test alert by
//! each, if asked for.

use rusqlite::params;

use super::secrets::hidden;
use super::{Scene, Told};
use crate::alert::{self, Alert, Trouble};
use crate::store::{self, look};

const MAIL: &str = "mail";
const WEBHOOK: &str = "webhook";
const COMMAND: &str = "command";

/// What was tried last longer ago is too old to be tried again, or its finding was acknowledged: each run
/// tries the others.
const RECENT_SECONDS: i64 = 7 * 86_400;

pub(super) fn check(scene: &Scene, told: &Told) {
    let ways = ways(scene);
    let shown: Vec<_> = ways.iter().map(|way| shown(scene, way)).collect();
    told.ok(&match ways.as_slice() {
        [] => "none leave: no `webhook`, no `command` and no mail is set in sections [alert] and [report]"
            .to_owned(),
        [MAIL] => "they leave by mail only, which fails with this server: `webhook` or `command` in section \
                   [alert] would be a second way"
            .to_owned(),
        _ => format!("they leave by {}", shown.join(", ")),
    });
    for way in ways {
        match way {
            WEBHOOK => webhook(scene, told),
            COMMAND => command(scene, told),
            // The mail server has checks of its own.
            _ => {}
        }
        waiting(scene, way, told);
    }
}

fn ways(scene: &Scene) -> Vec<&'static str> {
    let config = &scene.config;
    let wanted = [
        (MAIL, config.alert.mail && !config.report.email.is_empty()),
        (WEBHOOK, config.alert.has_webhook(scene.host.credentials.as_deref())),
        (COMMAND, !config.alert.command.is_empty()),
    ];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(way, _)| way).collect()
}

fn shown(scene: &Scene, way: &str) -> String {
    match way {
        WEBHOOK => format!("{way} {}", scene.config.alert.shape.name()),
        _ => way.to_owned(),
    }
}

fn webhook(scene: &Scene, told: &Told) {
    let set = &scene.config.alert;
    let url = set.webhook(scene.host.credentials.as_deref());
    match url.and_then(|url| set.shape.check(&url).map(|()| url)) {
        Err(trouble) => told.error(&trouble.what, &trouble.cure),
        Ok(url) if scene.send_test => {
            tell_sent(WEBHOOK, alert::post(&url, set.shape, &test(scene), &|| false), told);
        }
        Ok(_) => {}
    }
}

fn command(scene: &Scene, told: &Told) {
    let words = &scene.config.alert.command;
    match alert::program(words) {
        Err(trouble) => told.error(&trouble.what, &trouble.cure),
        Ok(path) => {
            if scene.send_test {
                tell_sent(COMMAND, alert::run(words, &test(scene), &|| false), told);
            }
            hidden(&path, told);
        }
    }
}

fn test(scene: &Scene) -> Alert {
    let now = (scene.host.now)();
    let stamp = now.to_zoned(scene.host.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    Alert::test(scene.host.full_name(), now.as_second(), stamp)
}

fn tell_sent(way: &str, sent: Result<(), Trouble>, told: &Told) {
    match sent {
        Ok(()) => told.ok(&format!("a test alert left by {way}: see that it has arrived")),
        Err(Trouble { what, cure }) => {
            told.error(&format!("the test alert did not leave by {way}: {what}"), &cure);
        }
    }
}

/// Tells what the last run could not send by `way`.
fn waiting(scene: &Scene, way: &str, told: &Told) {
    // What is wrong with the store is told about records.
    let path = scene.config.paths.state_dir.join(store::FILE_NAME);
    let Ok(Some(database)) = look::open(&path) else { return };
    // Of what a run is sending at this moment there is no trouble yet.
    let sql = "SELECT trouble FROM alert LEFT JOIN finding ON finding.id = finding WHERE way = ? \
        AND since > ? AND sent IS NULL AND trouble NOT IN ('', 'it is being sent') \
        AND acknowledged IS NULL ORDER BY since DESC LIMIT 1";
    let oldest = (scene.host.now)().as_second() - RECENT_SECONDS;
    let trouble = database.query_row(sql, params![way, oldest], |row| row.get::<_, String>(0));
    // A store of an earlier version has no such table, and no row is no trouble.
    if let Ok(trouble) = trouble {
        told.warning(
            &format!("alerts wait to leave by {way}: {trouble}"),
            "mend that: the next run sends them; `maillogsentinel doctor --send-test` tries it before",
        );
    }
}
