//! The owners of the accounts: where they live, what they carry, how they travel.
//!
//! Shares below are guesses from running small mail servers, not measurements:
//! * home: one ISP; its IPv4 address stays a day (a third: forced reconnect), about ten days, or
//!   the whole month; 30 % also use IPv6 (new interface id each day);
//! * phone: carrier NAT, 4 to 8 /24s of one region, a new address every 20 minutes to 14 hours;
//! * 45 % work in one of a few offices behind one static address each;
//! * 20 % use webmail at times, all through the gateway's one address;
//! * 6 % use a commercial VPN for 30 to 100 % of their sessions; 6 % use a mail app whose vendor's
//!   cloud fetches the mail (many addresses of a large cloud, often in another country);
//! * per month 6 % travel abroad for 2 to 12 days, 8 % are away without mail for 5 to 16 days,
//!   5 % never log in, 4 % are new, 2.5 % change their provider, 3 % send newsletters.

use super::nets::{Kind, World, v4_in, v6_in};
use super::rng::Rng;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const DAY: f64 = 86_400.0;

/// An address that changes: each entry holds from its time on.
#[derive(Clone, Default)]
pub struct Track(pub Vec<(f64, IpAddr)>);

impl Track {
    pub fn at(&self, t: f64) -> IpAddr {
        let i = self.0.partition_point(|e| e.0 <= t);
        self.0[i.saturating_sub(1)].1
    }
}

pub struct Trip {
    pub from: f64,
    pub to: f64,
    pub hotel: Track,
    /// None: the phone's data goes home to its own carrier, as roaming usually does.
    pub phone: Option<Track>,
}

pub struct Newsletter {
    /// Days on which it is sent.
    pub days: Vec<u32>,
    pub hour: f64,
    /// A web shop's or association's server, else the desktop.
    pub server: Option<IpAddr>,
}

pub struct Person {
    pub active: (f64, f64),
    pub away: Option<(f64, f64)>,
    pub home: Track,
    pub home_v6: Option<Vec<(f64, u128)>>,
    pub phone: Track,
    pub office: Option<IpAddr>,
    pub desktop_at_home: bool,
    pub webmail: f64,
    pub vpn: Option<(usize, f64, usize)>,
    pub cloud: Option<Track>,
    pub trip: Option<Trip>,
    pub newsletter: Option<Newsletter>,
    pub sessions: f64,
    pub mails: f64,
    /// Makes wrong passwords likely; `days` weighs it by device and place.
    pub clumsy: f64,
    /// Nights shift the day of some people by hours.
    pub shift: f64,
    /// Times in which the phone has an old password and cannot log in.
    pub phone_dead: Vec<(f64, f64)>,
}

pub struct Town {
    pub offices: Vec<IpAddr>,
    pub gateway: Vec<IpAddr>,
    isps: Vec<(usize, f64)>,
    carriers: Vec<(usize, Vec<u32>)>,
}

impl Town {
    pub fn new(rng: &mut Rng, world: &World, accounts: usize) -> Town {
        let isp_ids = world.at_home(Kind::Isp);
        let isps = isp_ids.iter().enumerate().map(|(i, n)| (*n, 0.55f64.powi(i as i32))).collect();
        let mut carriers = Vec::new();
        for net in world.at_home(Kind::Mobile) {
            let mut pools = world.nets[net].pools.clone();
            rng.shuffle(&mut pools);
            pools.truncate(rng.range(4, 8));
            carriers.push((net, pools));
        }
        let mut offices = Vec::new();
        for _ in 0..1 + accounts / 60 {
            let net = *rng.pick(&isp_ids);
            offices.push(world.v4(rng, net));
        }
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let host = *rng.pick(&world.at_home(Kind::Hosting));
        let gateway = match rng.below(3) {
            0 => vec![world.v4(rng, host)],
            1 => vec![loopback[0]],
            _ => loopback.to_vec(),
        };
        Town { offices, gateway, isps, carriers }
    }
}

/// Makes one person after the other.
pub struct Maker<'a> {
    pub rng: &'a mut Rng,
    pub world: &'a World,
    pub town: &'a Town,
    pub days: u32,
}

impl Maker<'_> {
    fn span(&self) -> f64 {
        f64::from(self.days) * DAY
    }

    /// Addresses in one network, a new one after about `hold` seconds.
    pub fn line(&mut self, net: usize, from: f64, hold: f64) -> Track {
        let mut track = Track::default();
        let mut t = from;
        while t < self.span() {
            track.0.push((t, self.world.v4(self.rng, net)));
            t += hold * self.rng.between(0.8, 1.2);
        }
        if track.0.is_empty() {
            track.0.push((from, self.world.v4(self.rng, net)));
        }
        track
    }

    pub fn mobile(&mut self, pools: &[u32]) -> Track {
        let mut track = Track::default();
        let mut t = 0.0;
        while t < self.span() {
            track.0.push((t, v4_in(*self.rng.pick(pools), self.rng)));
            t += self.rng.skewed(1200.0, 50_000.0);
        }
        track
    }

    fn home(&mut self) -> (Track, Option<Vec<(f64, u128)>>) {
        let weights: Vec<f64> = self.town.isps.iter().map(|i| i.1).collect();
        let hold = [DAY, 10.0 * DAY, 400.0 * DAY][self.rng.weighted(&[1.0, 1.2, 0.8])];
        let net = self.town.isps[self.rng.weighted(&weights)].0;
        let start = -self.rng.unit() * hold.min(9.0 * DAY);
        let mut home = self.line(net, start, hold);
        if self.rng.chance(0.025) {
            let other = self.town.isps[self.rng.weighted(&weights)].0;
            let when = self.rng.between(0.1, 0.9) * self.span();
            home.0.retain(|e| e.0 < when);
            home.0.extend(self.line(other, when, hold).0);
        }
        let mut v6 = None;
        if self.rng.chance(0.5)
            && let Some(first) = self.world.v6_prefix(self.rng, net)
        {
            let mut list = vec![(start, first)];
            for (t, _) in home.0.iter().skip(1) {
                if let Some(next) = self.world.v6_prefix(self.rng, net) {
                    list.push((*t, next));
                }
            }
            v6 = Some(list);
        }
        (home, v6)
    }

    fn trip(&mut self) -> Trip {
        let length = self.rng.skewed(2.0, 12.0) * DAY;
        let from = self.rng.between(0.0, (self.span() - length).max(1.0));
        let isps = self.world.abroad(Kind::Isp);
        let first = *self.rng.pick(&isps);
        let country = self.world.nets[first].country;
        let mut hotel = Track(vec![(from, self.world.v4(self.rng, first))]);
        let mut t = from + self.rng.between(0.1, 0.4) * DAY;
        while t < from + length {
            // Another hotel or café, mostly in the same country.
            let mut net = *self.rng.pick(&isps);
            for _ in 0..60 {
                if self.world.nets[net].country != country {
                    net = *self.rng.pick(&isps);
                }
            }
            hotel.0.push((t, self.world.v4(self.rng, net)));
            t += self.rng.between(0.7, 5.0) * DAY;
        }
        let carriers = self.world.abroad(Kind::Mobile);
        let local = carriers.into_iter().find(|&c| self.world.nets[c].country == country);
        let phone = match local {
            Some(net) if self.rng.chance(0.4) => {
                let pools = self.world.nets[net].pools[..4].to_vec();
                Some(self.mobile(&pools))
            }
            _ => None,
        };
        Trip { from, to: from + length, hotel, phone }
    }

    fn newsletter(&mut self) -> Newsletter {
        let first = self.rng.below(self.days as usize) as u32;
        let mut days = vec![first];
        if self.rng.chance(0.6) {
            days = (first % 7..self.days).step_by(7).collect();
        }
        let hosts = self.world.at_home(Kind::Hosting);
        let server = self.rng.chance(0.3).then(|| *self.rng.pick(&hosts));
        let server = server.map(|net| self.world.v4(self.rng, net));
        Newsletter { days, hour: self.rng.between(8.0, 20.0), server }
    }

    fn cloud(&mut self) -> Track {
        let net = *self.rng.pick(&self.world.of_kind(Kind::Cloud));
        let farm: Vec<IpAddr> = (0..30).map(|_| self.world.v4(self.rng, net)).collect();
        let mut track = Track::default();
        let mut t = 0.0;
        while t < self.span() {
            track.0.push((t, *self.rng.pick(&farm)));
            t += self.rng.between(0.05, 0.5) * DAY;
        }
        track
    }

    fn stretch(&mut self, low: f64, high: f64) -> (f64, f64) {
        let length = self.rng.skewed(low, high) * DAY;
        let from = self.rng.between(-0.3 * length, self.span() - 0.5 * length);
        (from, from + length)
    }

    pub fn person(&mut self) -> Person {
        let (home, home_v6) = self.home();
        let shares: Vec<f64> = [0.5, 0.3, 0.2][..self.town.carriers.len().min(3)].to_vec();
        let pools = self.town.carriers[self.rng.weighted(&shares)].1.clone();
        let phone = self.mobile(&pools);
        let office = self.rng.chance(0.45).then(|| *self.rng.pick(&self.town.offices));
        let span = self.span();
        let active = match self.rng.weighted(&[0.05, 0.04, 0.91]) {
            0 => (span, span),
            1 => (self.rng.between(0.1, 0.95) * span, span),
            _ => (0.0, span),
        };
        let exits = self.world.exits.len();
        Person {
            active,
            away: self.rng.chance(0.08).then(|| self.stretch(5.0, 16.0)),
            home,
            home_v6,
            phone,
            office,
            desktop_at_home: self.rng.chance(0.7),
            webmail: if self.rng.chance(0.2) { self.rng.between(0.1, 0.8) } else { 0.0 },
            vpn: self.rng.chance(0.06).then(|| {
                let service = self.rng.below(exits);
                (
                    service,
                    self.rng.between(0.3, 1.0),
                    self.rng.below(self.world.exits[service].len()),
                )
            }),
            cloud: self.rng.chance(0.06).then(|| self.cloud()),
            trip: self.rng.chance(0.06).then(|| self.trip()),
            newsletter: self.rng.chance(0.03).then(|| self.newsletter()),
            sessions: self.rng.bell(3.6, 0.9).clamp(1.0, 7.0),
            mails: self.rng.skewed(0.4, 7.0),
            clumsy: self.rng.skewed(0.003, 0.05),
            shift: if self.rng.chance(0.07) { self.rng.between(4.0, 14.0) } else { 0.0 },
            phone_dead: Vec::new(),
        }
    }
}

impl Person {
    /// The address at home; with IPv6, either of the two.
    pub fn at_home(&self, t: f64, key: u64, rng: &mut Rng) -> IpAddr {
        if let Some(list) = &self.home_v6
            && rng.chance(0.6)
        {
            let i = list.partition_point(|e| e.0 <= t).saturating_sub(1);
            return v6_in(list[i].1, key ^ ((t / DAY) as u64));
        }
        self.home.at(t)
    }

    pub fn travelling(&self, t: f64) -> Option<&Trip> {
        self.trip.as_ref().filter(|trip| t >= trip.from && t < trip.to)
    }

    pub fn reads_mail(&self, t: f64) -> bool {
        let away = self.away.is_some_and(|(from, to)| t >= from && t < to);
        t >= self.active.0 && t < self.active.1 && !away
    }

    pub fn phone_works(&self, t: f64) -> bool {
        !self.phone_dead.iter().any(|(from, to)| t >= *from && t < *to)
    }
}
