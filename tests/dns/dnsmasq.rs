//! A real dnsmasq as the administrator's own server: names, no names, aliases, long answers.

use maillogsentinel::origin::ReverseDns;

use crate::server::Dnsmasq;
use crate::{PATIENT, ask, look_up, name, resolver, settled};

#[test]
fn names_of_both_families_are_found_and_all_else_told_apart() {
    let server = Dnsmasq::start(&[
        "--host-record=mail.example.org,192.0.2.25,2001:db8::25",
        "--ptr-record=7.2.0.192.in-addr.arpa,Seven.Example.ORG",
        // Any record of that name makes it exist.
        "--txt-record=8.2.0.192.in-addr.arpa,no name here",
        // Answers NXDOMAIN for the rest of these networks.
        "--local=/2.0.192.in-addr.arpa/",
        "--local=/8.b.d.0.1.0.0.2.ip6.arpa/",
    ]);
    let texts = [
        "192.0.2.25",
        "2001:db8::25",
        "192.0.2.7",
        "192.0.2.8",
        "192.0.2.9",
        "2001:db8::9",
        "::ffff:192.0.2.25",
        "198.51.100.1",
    ];
    let answers = look_up(&mut resolver(&[server.address], PATIENT), &texts);
    let expected = [
        name("mail.example.org"),
        name("mail.example.org"),
        name("seven.example.org"),
        settled(ReverseDns::NoName),
        settled(ReverseDns::NotFound),
        settled(ReverseDns::NotFound),
        name("mail.example.org"),
        // It has nobody to pass the question on to.
        settled(ReverseDns::Refused),
    ];
    for ((text, answer), expected) in texts.iter().zip(answers).zip(expected) {
        assert_eq!(answer, expected, "{text}");
    }
}

#[test]
fn an_alias_of_a_network_without_classes_is_followed() {
    let server = Dnsmasq::start(&[
        "--cname=9.2.0.192.in-addr.arpa,9.0-63.2.0.192.in-addr.arpa",
        "--ptr-record=9.0-63.2.0.192.in-addr.arpa,mail.customer.example",
        "--local=/2.0.192.in-addr.arpa/",
    ]);
    assert_eq!(ask(&[server.address], "192.0.2.9"), name("mail.customer.example"));
}

#[test]
fn an_answer_longer_than_a_datagram_is_fetched_by_tcp() {
    let records: Vec<_> = (0..60)
        .map(|host| format!("--ptr-record=1.2.0.192.in-addr.arpa,host-{:02}.example", 99 - host))
        .collect();
    let options: Vec<_> = records.iter().map(String::as_str).collect();
    let server = Dnsmasq::start(&options);
    assert_eq!(ask(&[server.address], "192.0.2.1"), name("host-40.example"));
}
