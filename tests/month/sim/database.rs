//! The two address databases of the simulated month, in the form of the free CSV files.
//!
//! `start,end,CC` and `start,end,asn,organisation`, IPv4 before IPv6, sorted, without overlap.
//! They are written from the networks that exist, not from the addresses used, so that most of
//! their lines are of no use, as in a real file. The country is that of the prefix, not of the
//! company: an international hoster has one AS number and many countries.

use super::nets::World;
use std::net::{Ipv4Addr, Ipv6Addr};

struct Row {
    start: u128,
    v6: bool,
    range: String,
    country: String,
    network: String,
}

pub fn countries(world: &World) -> String {
    rows(world).iter().map(|r| format!("{},{}\n", r.range, r.country)).collect()
}

pub fn networks(world: &World) -> String {
    rows(world).iter().map(|r| format!("{},{}\n", r.range, r.network)).collect()
}

fn rows(world: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    for net in &world.nets {
        let network = format!("{},{}", net.asn, net.organisation);
        for block in &net.blocks {
            let last = block.base + ((1u64 << (32 - block.bits)) - 1) as u32;
            let range = format!("{},{}", Ipv4Addr::from(block.base), Ipv4Addr::from(last));
            rows.push(Row {
                start: u128::from(block.base),
                v6: false,
                range,
                country: block.country.to_string(),
                network: network.clone(),
            });
        }
        if let Some(start) = net.v6 {
            let last = start + ((1u128 << 96) - 1);
            let range = format!("{},{}", Ipv6Addr::from(start), Ipv6Addr::from(last));
            let country = net.country.to_string();
            rows.push(Row { start, v6: true, range, country, network });
        }
    }
    rows.sort_by_key(|r| (r.v6, r.start));
    rows
}
