//! Where databases come from unless the configuration says otherwise, and whom to thank for them.
//!
//! sapics/ip-location-db has been published as releases on GitHub since 2026-06-18 (its
//! `CHANGELOG.md`); what npm, jsDelivr and the repository itself still hold is no longer updated, and
//! its README warns of errors in it. `latest` is the name of the release, and its files change daily.

/// Countries of IPv4 and of IPv6. Of the two that the project compiles itself, the one that tells the
/// user's country and not the country of his relay, and that its README recommends.
pub const DEFAULT_COUNTRY_URLS: [&str; 2] = [
    "https://github.com/sapics/ip-location-db/releases/download/latest/user-country-ipv4.csv",
    "https://github.com/sapics/ip-location-db/releases/download/latest/user-country-ipv6.csv",
];

/// Networks of IPv4 and of IPv6.
pub const DEFAULT_NETWORK_URLS: [&str; 2] = [
    "https://github.com/sapics/ip-location-db/releases/download/latest/origin-asn-ipv4.csv",
    "https://github.com/sapics/ip-location-db/releases/download/latest/origin-asn-ipv6.csv",
];

/// For the databases above. Their licence (PDDL 1.0, `SOURCES.md` of the project) asks for none; this
/// names those who made them possible.
pub const DEFAULT_ATTRIBUTION: &str = "Countries and networks: sapics/ip-location-db \
    (https://github.com/sapics/ip-location-db), PDDL 1.0, from the statistics of the NRO and the five \
    RIRs, Route Views, RIPE RIS and geofeeds (RFC 8805)";

/// For `asn`, `dbip-country` and `dbip-asn` of the same project: CC BY 4.0 asks for it.
pub const DB_IP_ATTRIBUTION: &str = "IP Geolocation by DB-IP (https://db-ip.com), CC BY 4.0";

/// For the `asn` and `asn-country` files of the project's former releases on npm: CC BY 4.0 asks for it.
pub const FORMER_ATTRIBUTION: &str = "IP to AS number data by Route Views (https://www.routeviews.org), \
    DB-IP (https://db-ip.com) and the Number Resource Organization (https://www.nro.net), CC BY 4.0, \
    merged by sapics/ip-location-db";
