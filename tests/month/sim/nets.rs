//! The internet of the simulated month: networks, countries, addresses and the two databases.
//!
//! Assumptions (no source but experience with routing tables and geolocation files):
//! * about 270 networks: in the server's own country 6 consumer ISPs (unequal shares), 3 mobile
//!   carriers and 5 hosting companies; in 44 others 1 to 5 ISPs, 1 or 2 carriers; 30 international
//!   hosters, 2 large clouds, 6 VPN providers;
//! * a network holds 2 to 7 scattered IPv4 prefixes (/14 to /22) and perhaps one IPv6 /32; hosters,
//!   clouds and VPN providers hold prefixes in several countries under one AS number;
//! * carriers put their subscribers behind 8 to 24 /24s (CGNAT); one region sees a handful;
//! * organisation names often, but not always, tell what the network is. Names and AS numbers
//!   (private range) are invented so that no real company is shown as an attacker;
//! * a VPN service's exits are partly in its own AS and partly rented at hosters.

use super::rng::{Rng, mix};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Isp,
    Mobile,
    Hosting,
    Cloud,
    Vpn,
}

pub struct Block {
    pub base: u32,
    pub bits: u32,
    pub country: &'static str,
}

pub struct Net {
    pub asn: u32,
    pub organisation: String,
    pub domain: String,
    pub kind: Kind,
    pub country: &'static str,
    pub blocks: Vec<Block>,
    pub v6: Option<u128>,
    pub pools: Vec<u32>,
}

pub struct World {
    pub nets: Vec<Net>,
    pub home: &'static str,
    /// Hours that local time is ahead of UTC.
    pub zone: f64,
    /// Exit addresses of each commercial VPN service.
    pub exits: Vec<Vec<IpAddr>>,
    index: Vec<(u32, u32, usize)>,
}

/// Country and its weight among bots.
const COUNTRIES: [(&str, f64); 45] = [
    ("CN", 10.0),
    ("IN", 9.0),
    ("BR", 8.0),
    ("VN", 7.0),
    ("RU", 7.0),
    ("ID", 6.0),
    ("US", 6.0),
    ("IR", 4.0),
    ("TR", 4.0),
    ("AR", 4.0),
    ("TH", 4.0),
    ("KR", 4.0),
    ("UA", 3.0),
    ("PK", 3.0),
    ("BD", 3.0),
    ("MX", 3.0),
    ("CO", 3.0),
    ("EG", 3.0),
    ("TW", 3.0),
    ("IT", 2.5),
    ("DE", 2.5),
    ("FR", 2.5),
    ("PL", 2.0),
    ("RO", 2.0),
    ("ES", 2.0),
    ("GB", 2.0),
    ("BG", 2.0),
    ("ZA", 2.0),
    ("NG", 2.0),
    ("VE", 2.0),
    ("PH", 2.0),
    ("MY", 2.0),
    ("JP", 1.5),
    ("NL", 1.5),
    ("HU", 1.0),
    ("CZ", 1.0),
    ("GR", 1.0),
    ("PT", 1.0),
    ("SE", 1.0),
    ("AT", 0.7),
    ("CH", 0.7),
    ("BE", 0.7),
    ("DK", 0.5),
    ("IE", 0.5),
    ("CA", 1.0),
];
const HOMES: [(&str, f64); 6] =
    [("DE", 2.0), ("FR", 2.0), ("GB", 1.0), ("NL", 2.0), ("US", -5.0), ("PL", 2.0)];
const HOST_COUNTRIES: [&str; 14] =
    ["US", "DE", "NL", "FR", "GB", "RU", "SG", "HK", "RO", "BG", "CA", "FI", "LT", "SC"];
const FIRST: [&str; 16] = [
    "Nor", "Al", "Tele", "Vera", "Omni", "Kes", "Bal", "Sil", "Aqua", "Mer", "Lum", "Ter", "Ori",
    "Cas", "Vol", "Zen",
];
const SECOND: [&str; 16] = [
    "dan", "tera", "vox", "net", "link", "mark", "star", "via", "com", "dor", "nova", "plex",
    "ria", "gate", "bit", "lon",
];

fn suffixes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Isp => &["Telecom", "Broadband", "Cable", "Internet", "Communications", "SA", "AG"],
        Kind::Mobile => &["Mobile", "Wireless", "Cellular", "Telecom", "Group"],
        Kind::Hosting => &["Hosting", "Servers", "Cloud", "Networks Ltd", "Data", "LLC", "Online"],
        Kind::Cloud => &["Cloud Platform", "Web Services"],
        Kind::Vpn => &["Networks Ltd", "Privacy", "Transit", "Secure Connect"],
    }
}

/// Builds the networks one after the other; every prefix sits in a /14 of its own.
struct Builder<'a> {
    rng: &'a mut Rng,
    free: Vec<u32>,
    nets: Vec<Net>,
}

impl Builder<'_> {
    fn name(&mut self, kind: Kind, country: &str) -> (String, String) {
        loop {
            let stem = format!("{}{}", self.rng.pick(&FIRST), self.rng.pick(&SECOND));
            let domain = format!("{}.{}", stem.to_lowercase(), country.to_lowercase());
            if !self.nets.iter().any(|n| n.domain == domain) {
                return (format!("{stem} {}", self.rng.pick(suffixes(kind))), domain);
            }
        }
    }

    fn add(&mut self, kind: Kind, countries: &[&'static str], prefixes: usize, bits: (u32, u32)) {
        let (organisation, domain) = self.name(kind, countries[0]);
        let mut blocks = Vec::new();
        for i in 0..prefixes {
            let bits = self.rng.range(bits.0 as usize, bits.1 as usize) as u32;
            let room = 1u32 << (bits - 14);
            let slot = self.rng.below(room as usize) as u32;
            if let Some(base) = self.free.pop() {
                let base = base + slot * (1 << (32 - bits));
                blocks.push(Block { base, bits, country: countries[i % countries.len()] });
            }
        }
        let number = self.nets.len() as u128;
        let share = if kind == Kind::Vpn { 0.0 } else { 0.6 };
        let v6 = self.rng.chance(share).then(|| (0x2a00_0100u128 + number * 0x0101) << 96);
        let mut pools = Vec::new();
        if kind == Kind::Mobile {
            for _ in 0..self.rng.range(8, 24) {
                let block = self.rng.pick(&blocks);
                let inside = self.rng.below(1 << (24 - block.bits)) as u32;
                pools.push(block.base + (inside << 8));
            }
        }
        let asn = 4_200_000_000 + 37 * self.nets.len() as u32;
        let country = countries[0];
        self.nets.push(Net { asn, organisation, domain, kind, country, blocks, v6, pools });
    }
}

/// Starts of /14s in ordinary unicast space, in random order.
fn free_space(rng: &mut Rng) -> Vec<u32> {
    let mut free = Vec::new();
    for first in 1u32..=223 {
        if [10, 100, 127, 169, 172, 192, 198, 203].contains(&first) {
            continue;
        }
        free.extend((0..64).map(|i| (first << 24) + (i << 18)));
    }
    rng.shuffle(&mut free);
    free
}

impl World {
    pub fn new(rng: &mut Rng) -> World {
        let (home, zone) = *rng.pick(&HOMES);
        let free = free_space(rng);
        let mut b = Builder { rng, free, nets: Vec::new() };
        for _ in 0..6 {
            let n = b.rng.range(3, 7);
            b.add(Kind::Isp, &[home], n, (14, 18));
        }
        for _ in 0..3 {
            b.add(Kind::Mobile, &[home], 4, (15, 18));
        }
        for _ in 0..5 {
            b.add(Kind::Hosting, &[home], 3, (16, 20));
        }
        for (country, weight) in COUNTRIES {
            if country == home {
                continue;
            }
            for _ in 0..b.rng.range(1, 2) + (weight / 2.5) as usize {
                let n = b.rng.range(2, 6);
                b.add(Kind::Isp, &[country], n, (14, 19));
            }
            for _ in 0..b.rng.range(1, 2) {
                b.add(Kind::Mobile, &[country], 3, (15, 18));
            }
        }
        for (number, kind, low, high, bits) in [
            (30, Kind::Hosting, 1, 5, (16, 22)),
            (2, Kind::Cloud, 4, 6, (14, 16)),
            (6, Kind::Vpn, 7, 12, (19, 22)),
        ] {
            for _ in 0..number {
                let mut places = HOST_COUNTRIES.to_vec();
                places.push(home);
                b.rng.shuffle(&mut places);
                let n = b.rng.range(low, high);
                let prefixes = n + b.rng.below(3);
                b.add(kind, &places[..n], prefixes, bits);
            }
        }
        let nets = b.nets;
        let mut world = World { nets, home, zone, exits: Vec::new(), index: Vec::new() };
        world.index_blocks();
        world.open_vpn_services(rng);
        world
    }

    fn index_blocks(&mut self) {
        for (i, net) in self.nets.iter().enumerate() {
            for block in &net.blocks {
                let last = block.base + ((1u64 << (32 - block.bits)) - 1) as u32;
                self.index.push((block.base, last, i));
            }
        }
        self.index.sort_unstable();
    }

    fn open_vpn_services(&mut self, rng: &mut Rng) {
        for own in self.of_kind(Kind::Vpn) {
            let rented: Vec<usize> =
                (0..3).map(|_| *rng.pick(&self.of_kind(Kind::Hosting))).collect();
            let mut exits = Vec::new();
            for _ in 0..rng.range(30, 80) {
                let net = if rng.chance(0.6) { own } else { *rng.pick(&rented) };
                exits.push(self.v4(rng, net));
            }
            self.exits.push(exits);
        }
    }

    /// The exits of the service that a VPN provider's network belongs to.
    pub fn exits_of(&self, net: usize) -> Option<&[IpAddr]> {
        let service = self.of_kind(Kind::Vpn).iter().position(|&n| n == net)?;
        Some(&self.exits[service])
    }

    pub fn of_kind(&self, kind: Kind) -> Vec<usize> {
        (0..self.nets.len()).filter(|&i| self.nets[i].kind == kind).collect()
    }

    pub fn at_home(&self, kind: Kind) -> Vec<usize> {
        let mut all = self.of_kind(kind);
        all.retain(|&i| self.nets[i].country == self.home);
        all
    }

    pub fn abroad(&self, kind: Kind) -> Vec<usize> {
        let mut all = self.of_kind(kind);
        all.retain(|&i| self.nets[i].country != self.home);
        all
    }

    /// How likely bots of a network are, by its country.
    pub fn bot_weight(&self, net: usize) -> f64 {
        let country = self.nets[net].country;
        COUNTRIES.iter().find(|c| c.0 == country).map_or(0.5, |c| c.1)
    }

    /// Any IPv4 address of the network; of a carrier, one of its NAT addresses.
    pub fn v4(&self, rng: &mut Rng, net: usize) -> IpAddr {
        let net = &self.nets[net];
        if !net.pools.is_empty() {
            return v4_in(*rng.pick(&net.pools), rng);
        }
        let block = rng.pick(&net.blocks);
        let inside = rng.below(1 << (24 - block.bits)) as u32;
        v4_in(block.base + (inside << 8), rng)
    }

    /// An IPv6 /64 of the network, if it has IPv6.
    pub fn v6_prefix(&self, rng: &mut Rng, net: usize) -> Option<u128> {
        let base = self.nets[net].v6?;
        Some(base + ((rng.bits() & 0xffff_ff00) as u128 * (1u128 << 64)))
    }

    /// The network of an address; None for loopback and private addresses.
    pub fn find(&self, address: IpAddr) -> Option<usize> {
        match address {
            IpAddr::V4(a) => {
                let n = u32::from(a);
                let i = self.index.partition_point(|e| e.0 <= n).checked_sub(1)?;
                (self.index[i].1 >= n).then_some(self.index[i].2)
            }
            IpAddr::V6(a) => {
                let top = u128::from(a) >> 96 << 96;
                self.nets.iter().position(|n| n.v6 == Some(top))
            }
        }
    }

    /// The name that Postfix found for the address; half of the internet has none.
    pub fn host(&self, address: IpAddr) -> String {
        if address.is_loopback() {
            return "localhost".to_string();
        }
        let IpAddr::V4(v4) = address else { return "unknown".to_string() };
        let Some(net) = self.find(address) else { return "unknown".to_string() };
        let h = mix(u64::from(u32::from(v4)));
        let net = &self.nets[net];
        let dashed = v4.to_string().replace('.', "-");
        match (net.kind, h % 4) {
            (_, 0) => "unknown".to_string(),
            (Kind::Isp, _) => format!("{dashed}.dyn.{}", net.domain),
            (Kind::Mobile, 1) => format!("{dashed}.mob.{}", net.domain),
            (Kind::Hosting | Kind::Cloud, 1 | 2) => {
                format!("vps-{:06x}.{}", h >> 40, net.domain)
            }
            _ => "unknown".to_string(),
        }
    }
}

/// An address in a /24, neither its first nor its last.
pub fn v4_in(base: u32, rng: &mut Rng) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from((base & 0xffff_ff00) + rng.range(1, 254) as u32))
}

/// An address in a /64 that stays the same for a device and day (privacy extensions).
pub fn v6_in(prefix: u128, key: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(prefix + u128::from(mix(key))))
}
