//! A failed login as a document in the terms of Elastic Common Schema (ECS) 8.17.
//!
//! `docs/follow.md` is its description for those who read it: what is added here is told there.

use serde::Serialize;

use crate::store::recorded::Recorded;
use crate::untrusted::Untrusted;

/// <https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>
const ECS: &str = "8.17.0";

#[derive(Serialize)]
struct Document<'e> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    ecs: Version,
    event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Named>,
    source: Source<'e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Named>,
    related: Related,
    maillogsentinel: Own<'e>,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

#[derive(Serialize)]
struct Event {
    kind: &'static str,
    category: [&'static str; 1],
    r#type: [&'static str; 1],
    action: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    module: &'static str,
    dataset: &'static str,
    sequence: i64,
}

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
struct Source<'e> {
    ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo: Option<Geo<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#as: Option<Network>,
}

#[derive(Serialize)]
struct Geo<'e> {
    country_iso_code: &'e str,
}

#[derive(Serialize)]
struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<Named>,
}

#[derive(Serialize)]
struct Related {
    ip: [String; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<String>,
}

/// What ECS has no name for.
#[derive(Serialize)]
struct Own<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mechanism: Option<String>,
    reverse_dns_status: &'e str,
}

/// One line, without its end.
pub(super) fn document(event: &Recorded) -> String {
    let text = |it: &Option<Untrusted>| it.as_ref().map(|it| it.for_terminal().into_owned());
    let named = |it: &Option<Untrusted>| text(it).map(|name| Named { name });
    let ip = event.address.to_string();
    let organization = named(&event.aso);
    let network = Network { number: event.asn, organization };
    let is_known = network.number.is_some() || network.organization.is_some();
    let document = Document {
        timestamp: event.time.to_string(),
        ecs: Version { version: ECS },
        event: Event {
            kind: "event",
            category: ["authentication"],
            r#type: ["start"],
            action: "login",
            outcome: "failure",
            reason: text(&event.reason).filter(|reason| !reason.is_empty()),
            module: "maillogsentinel",
            dataset: "maillogsentinel.login",
            sequence: event.id,
        },
        host: named(&event.server),
        service: named(&event.service),
        source: Source {
            domain: text(&event.hostname),
            geo: event.country.as_deref().map(|country_iso_code| Geo { country_iso_code }),
            r#as: Some(network).filter(|_| is_known),
            ip: ip.clone(),
        },
        user: named(&event.user),
        related: Related {
            ip: [ip],
            user: text(&event.user).into_iter().collect(),
            hosts: [text(&event.server), text(&event.hostname)].into_iter().flatten().collect(),
        },
        maillogsentinel: Own {
            mechanism: text(&event.mechanism),
            reverse_dns_status: &event.reverse_dns,
        },
    };
    // Text and numbers: nothing in it can fail.
    serde_json::to_string(&document).unwrap_or_default()
}
